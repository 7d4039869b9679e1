//! What a server and a login must be like before anything is trusted to them.

use tokio_postgres::Row;

use crate::{Client, Database, Error, sql};

/// The oldest server that will do.
const MINIMUM_VERSION: i32 = 140_000;

impl Database {
    /// Refuses a server on which a commit is not durable or a write not possible; the text says what to change.
    pub async fn check(&self) -> Result<(), Error> {
        let client = self.client().await?;
        let row = client.query_one(&sql::database::READ_SERVER, &[]).await?;
        let complaints = complaints(&Server::read(&row)?);
        if complaints.is_empty() { Ok(()) } else { Err(Error::Refused(complaints.join("; "))) }
    }

    /// Refuses a login that could change or remove what was logged: a superuser, or an owner of the schema or of
    /// anything in it.
    pub async fn refuse_privileged(&self) -> Result<(), Error> {
        let client = self.client().await?;
        let row = client.query_opt(&sql::database::READ_PRIVILEGES, &[&self.schema()]).await?;
        let Some(row) = row else {
            return Err(Error::Refused(format!(
                "the schema {} is not there: run `counterfoil migrate`",
                self.schema()
            )));
        };
        let login: String = row.try_get("login")?;
        let kinds = [
            ("superuser", "a superuser"),
            ("schema_owner", "the owner of the schema"),
            ("table_owner", "an owner of tables"),
        ];
        for (column, kind) in kinds {
            if row.try_get::<_, bool>(column)? {
                return Err(Error::Refused(format!(
                    "{login} is {kind} and could change the log: log in as a role that is a member of \
                     counterfoil_service and owns nothing (CREATE ROLE .. LOGIN IN ROLE counterfoil_service)"
                )));
            }
        }
        Ok(())
    }

    /// The server's version, as "15.18".
    pub async fn server_version(&self) -> Result<String, Error> {
        let client: Client = self.client().await?;
        Ok(client.query_one(&sql::database::READ_SERVER, &[]).await?.try_get("version")?)
    }

    /// How many sessions the server takes, and how many are somebody else's.
    pub async fn room(&self) -> Result<Room, Error> {
        let row = self.client().await?.query_one(&sql::database::READ_SESSIONS, &[]).await?;
        Ok(Room { most: row.try_get("most")?, others: row.try_get("others")? })
    }
}

/// The room that a server has for sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// So many sessions it takes from logins without privileges.
    pub most: i64,
    /// So many are not of this program.
    pub others: i64,
}

#[derive(Clone)]
struct Server {
    version_number: i32,
    version: String,
    fsync: String,
    full_page_writes: String,
    synchronous_commit: String,
    synchronous_standby_names: String,
    server_encoding: String,
    transaction_read_only: String,
    in_recovery: bool,
}

impl Server {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            version_number: row.try_get("version_number")?,
            version: row.try_get("version")?,
            fsync: row.try_get("fsync")?,
            full_page_writes: row.try_get("full_page_writes")?,
            synchronous_commit: row.try_get("synchronous_commit")?,
            synchronous_standby_names: row.try_get("synchronous_standby_names")?,
            server_encoding: row.try_get("server_encoding")?,
            transaction_read_only: row.try_get("transaction_read_only")?,
            in_recovery: row.try_get("in_recovery")?,
        })
    }
}

fn complaints(server: &Server) -> Vec<String> {
    let mut complaints = Vec::new();
    if server.version_number < MINIMUM_VERSION {
        complaints.push(format!("PostgreSQL {} is too old: 14 or newer is needed", server.version));
    }
    if server.fsync != "on" {
        complaints.push("fsync is off: set fsync = on in postgresql.conf and reload".to_owned());
    }
    if server.full_page_writes != "on" {
        complaints.push(
            "full_page_writes is off: set full_page_writes = on in postgresql.conf and reload".to_owned(),
        );
    }
    let durable = match server.synchronous_commit.as_str() {
        "on" | "remote_apply" => true,
        // Without standbys these flush here as well; with them, a fail-over would lose what was answered.
        "local" | "remote_write" => server.synchronous_standby_names.is_empty(),
        _ => false,
    };
    if !durable {
        complaints.push(format!(
            "synchronous_commit is {}: take it out of the URL's options, or set it to on",
            server.synchronous_commit
        ));
    }
    if server.in_recovery || server.transaction_read_only == "on" {
        complaints.push("the server takes no writes: give the URL of the primary".to_owned());
    }
    if server.server_encoding != "UTF8" {
        complaints.push(format!(
            "the database's encoding is {}: make it with ENCODING 'UTF8'",
            server.server_encoding
        ));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Server {
        Server {
            version_number: 150_000,
            version: "15.0".to_owned(),
            fsync: "on".to_owned(),
            full_page_writes: "on".to_owned(),
            synchronous_commit: "on".to_owned(),
            synchronous_standby_names: String::new(),
            server_encoding: "UTF8".to_owned(),
            transaction_read_only: "off".to_owned(),
            in_recovery: false,
        }
    }

    #[test]
    fn each_unsafe_server_is_refused_by_name() {
        assert!(complaints(&good()).is_empty());
        let off = || "off".to_owned();
        let table = [
            (Server { version_number: 130_000, ..good() }, "too old"),
            (Server { fsync: off(), ..good() }, "fsync is off"),
            (Server { full_page_writes: off(), ..good() }, "full_page_writes is off"),
            (Server { synchronous_commit: off(), ..good() }, "synchronous_commit is off"),
            (Server { in_recovery: true, ..good() }, "takes no writes"),
            (Server { transaction_read_only: "on".to_owned(), ..good() }, "takes no writes"),
            (Server { server_encoding: "SQL_ASCII".to_owned(), ..good() }, "SQL_ASCII"),
        ];
        for (server, word) in table {
            assert!(complaints(&server).join("; ").contains(word), "{word}");
        }
    }

    #[test]
    fn a_local_commit_is_refused_where_there_are_standbys() {
        let local = Server { synchronous_commit: "local".to_owned(), ..good() };
        assert!(complaints(&local).is_empty());
        let with_standby = Server { synchronous_standby_names: "second".to_owned(), ..local };
        assert_eq!(complaints(&with_standby).len(), 1);
    }
}
