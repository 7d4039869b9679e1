//! Brings the schema up to date, and gives the service's role what it may do.
//!
//! Never: touch a schema that it did not make itself.

use refinery::{Migration, Runner};
use secrecy::SecretString;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::config::{Session, check_schema_name, migration_session};
use crate::{Error, Query, sql};

/// Held while migrating; any number will do that nobody else uses ("counterf" in ASCII).
const LOCK_KEY: i64 = 0x636f_756e_7465_7266;
/// The roles that are granted to, and what creates each.
const ROLES: [(&str, &str); 2] =
    [("counterfoil_service", "create_service_role"), ("counterfoil_reader", "create_reader_role")];

/// What [`migrate`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// The migrations that were applied now, by file name.
    pub applied: Vec<String>,
    /// The number of the last migration.
    pub version: u32,
    /// What an administrator has to run, because this login may not; empty when all was done.
    pub statements: Vec<String>,
}

/// How the schema stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Whether the schema is there.
    pub schema_exists: bool,
    /// Whether it is ours.
    pub ours: bool,
    /// The number of the last migration that was applied.
    pub version: u32,
    /// The migrations that are still to be applied, by file name.
    pub pending: Vec<String>,
    /// Whether it was migrated by a newer program than this.
    pub newer: bool,
}

/// Applies the migrations that are missing, one process at a time, and the grants. The login must be the one that owns
/// the schema.
pub async fn migrate(url: &SecretString, schema: &str) -> Result<MigrationReport, Error> {
    let mut client = session_of_the_owner(url, schema).await?;
    create_schema(&client, schema).await?;

    let migrations = migrations(schema)?;
    let report = Runner::new(&migrations)
        .set_migration_table_name(format!("\"{schema}\".schema_history"))
        .run_async(&mut client)
        .await
        .map_err(|error| migration_error(&error))?;
    let applied = report.applied_migrations().iter().map(file_name).collect();
    let statements = apply_roles(&client, schema).await?;
    let version = migrations.iter().map(version_of).max().unwrap_or(0);
    Ok(MigrationReport { applied, version, statements })
}

/// How the schema stands; changes nothing.
pub async fn migration_status(url: &SecretString, schema: &str) -> Result<MigrationStatus, Error> {
    check_schema_name(schema)?;
    let client = connect(migration_session(url)?).await?;
    let (schema_exists, ours) = read_schema(&client, schema).await?;
    let mut applied = Vec::new();
    if ours {
        let text = sql::database::LIST_MIGRATIONS.text_for(schema);
        for row in client.query_typed(text.as_ref(), &[]).await? {
            applied.push(u32::try_from(row.try_get::<_, i32>("version")?).unwrap_or(0));
        }
    }
    let known = migrations(schema)?;
    let latest = known.iter().map(version_of).max().unwrap_or(0);
    let version = applied.iter().copied().max().unwrap_or(0);
    let pending = known.iter().filter(|migration| !applied.contains(&version_of(migration)));
    Ok(MigrationStatus {
        schema_exists,
        ours,
        version,
        pending: pending.map(file_name).collect(),
        newer: version > latest,
    })
}

/// A session that migrates, of one process at a time.
pub(crate) async fn session_of_the_owner(url: &SecretString, schema: &str) -> Result<Client, Error> {
    check_schema_name(schema)?;
    let session = migration_session(url)?;
    if session.is_pooled {
        return Err(Error::Refused(
            "migrations need a session of their own: give the server's URL, not its pooler's (without \
             pooler=transaction)"
                .to_owned(),
        ));
    }
    let client = connect(session).await?;
    // The lock goes with the session, also when this fails half way.
    client.query_one(sql::database::LOCK_MIGRATIONS.text(), &[&LOCK_KEY]).await?;
    Ok(client)
}

async fn connect(session: Session) -> Result<Client, Error> {
    let (client, connection) = session.config.connect(session.tls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn read_schema(client: &Client, schema: &str) -> Result<(bool, bool), Error> {
    let row = client.query_typed_one(sql::database::READ_SCHEMA.text(), &[(&schema, Type::TEXT)]).await?;
    Ok((row.try_get("schema_exists")?, row.try_get("history_exists")?))
}

async fn create_schema(client: &Client, schema: &str) -> Result<(), Error> {
    match read_schema(client, schema).await? {
        (_, true) => Ok(()),
        (true, false) => Err(Error::Refused(format!(
            "the schema {schema} is there and was not made by `counterfoil migrate`: choose another name for the \
             schema, or another database"
        ))),
        (false, false) => in_one_transaction(client, &setup("create_schema")?.text_for(schema)).await,
    }
}

/// `0001_log` in the repository is `V1__log` to the tool.
fn migrations(schema: &str) -> Result<Vec<Migration>, Error> {
    let odd = |name: &str| Error::Refused(format!("sql/migrations/{name}.sql is not called NNNN_name.sql"));
    let each = sql::MIGRATIONS.iter().map(|file| {
        let (number, name) = file.name().split_once('_').ok_or_else(|| odd(file.name()))?;
        let number: u32 = number.parse().map_err(|_| odd(file.name()))?;
        Migration::unapplied(&format!("V{number}__{name}"), &file.text_for(schema))
            .map_err(|_| odd(file.name()))
    });
    each.collect()
}

fn version_of(migration: &Migration) -> u32 {
    u32::try_from(migration.version()).unwrap_or(0)
}

fn file_name(migration: &Migration) -> String {
    format!("{:04}_{}", migration.version(), migration.name())
}

/// Creates and grants the roles; what this login may not do is returned as text.
async fn apply_roles(client: &Client, schema: &str) -> Result<Vec<String>, Error> {
    let mut statements = Vec::new();
    for (role, create) in ROLES {
        let create = setup(create)?;
        if client.query_one(sql::database::READ_ROLE.text(), &[&role]).await?.try_get("role_exists")? {
            continue;
        }
        match client.batch_execute(create.text()).await {
            Ok(()) => {}
            // Roles are of the whole cluster: a migration of another database may have been quicker.
            Err(error) if is_duplicate(&error) => {}
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                statements.push(create.text().to_owned());
            }
            Err(error) => return Err(error.into()),
        }
    }
    let grants: Vec<String> = std::iter::once(setup("grant_schema")?)
        .chain(sql::ROLES)
        .map(|file| file.text_for(schema).into_owned())
        .collect();
    if !statements.is_empty() {
        // Without the role there is nobody to grant to.
        statements.extend(grants);
        return Ok(statements);
    }
    match in_one_transaction(client, &grants.join("\n")).await {
        Ok(()) => Ok(Vec::new()),
        Err(Error::Sql(why)) if why.ends_with("(42501)") => Ok(grants),
        Err(error) => Err(error),
    }
}

fn is_duplicate(error: &tokio_postgres::Error) -> bool {
    matches!(error.code(), Some(&SqlState::DUPLICATE_OBJECT | &SqlState::UNIQUE_VIOLATION))
}

pub(crate) async fn in_one_transaction(client: &Client, text: &str) -> Result<(), Error> {
    let result = client.batch_execute(&format!("BEGIN;\n{text}\nCOMMIT;")).await;
    if result.is_err() {
        let _ = client.batch_execute("ROLLBACK").await;
    }
    Ok(result?)
}

fn setup(name: &str) -> Result<&'static Query, Error> {
    named(sql::SETUP, name)
}

pub(crate) fn named(files: &'static [Query], name: &str) -> Result<&'static Query, Error> {
    let found = files.iter().find(|file| file.name() == name);
    found.ok_or_else(|| Error::Refused(format!("the file {name}.sql is not there")))
}

/// The tool wraps the driver's errors; what it says of its own is about files, not values.
fn migration_error(error: &refinery::Error) -> Error {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(failed) = inner.downcast_ref::<tokio_postgres::Error>() {
            if failed.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
                return Error::Unavailable(
                    "a migration waited too long for a table that is in use, so that nobody waits behind it; what was \
                     applied before it stays: run `counterfoil migrate` again"
                        .to_owned(),
                );
            }
            return Error::Sql(format!("a migration failed: {}", crate::error::describe(failed)));
        }
        cause = inner.source();
    }
    Error::Refused(format!(
        "the migrations do not fit the database: {error}; it was migrated by another version of this program"
    ))
}
