//! The database: that it can be had, is safe, has the time and the room, and has this program's schema.

use database::{Clock, Database, SystemClock};
use secrecy::SecretString;

use super::findings::Findings;
use crate::config::DatabaseArgs;

/// What to do about a database that cannot be had.
pub(super) const UNREACHABLE: &str = "see that MAINTENANCE_DATABASE_URL (or DATABASE_URL) names a server that runs, and has the database and the login, \
     and that pg_hba.conf and the firewall let this host in";

/// The most by which two clocks may differ before certificates are misjudged at their ends.
const CLOCK_DIFFERENCE_MS: i64 = 2_000;

pub(super) async fn examine(pool: &Database, pool_size: u16, findings: &mut Findings) {
    if let Some(version) = findings.asked("version", pool.server_version().await) {
        findings.ok("version", format!("PostgreSQL {version}"));
    }
    match pool.check().await {
        Ok(()) => findings.ok("settings", "commits are durable"),
        Err(database::Error::Refused(complaints)) => {
            complaints.split("; ").for_each(|complaint| findings.fail_as_told("settings", complaint));
        }
        Err(error) => findings.fail("settings", error.to_string(), "see the log of the database"),
    }
    clock(pool, findings).await;
    sessions(pool, pool_size, findings).await;
}

async fn clock(pool: &Database, findings: &mut Findings) {
    let before = SystemClock.now();
    let Some(theirs) = findings.asked("clock", pool.now().await) else { return };
    let ours = before + (SystemClock.now() - before) / 2;
    let difference = (theirs - ours).num_milliseconds();
    let what = format!("the database's differs from this host's by {difference} ms");
    if difference.abs() > CLOCK_DIFFERENCE_MS {
        findings.warn("clock", what, "synchronise both: chrony, or systemd-timesyncd");
    } else {
        findings.ok("clock", what);
    }
}

/// Whether there is room for all the sessions of one `serve`, beside those of others.
async fn sessions(pool: &Database, pool_size: u16, findings: &mut Findings) {
    let Some(room) = findings.asked("sessions", pool.room().await) else { return };
    let what = format!(
        "the server takes {} sessions, others have {}, and one `serve` may want {pool_size}",
        room.most, room.others
    );
    if room.others + i64::from(pool_size) > room.most {
        let cure = "raise max_connections, lower COUNTERFOIL_POOL_SIZE, or put a pooler between";
        findings.warn("sessions", what, cure);
    } else {
        findings.ok("sessions", what);
    }
}

/// Whether the schema is what this program needs.
pub(super) async fn is_migrated(url: &SecretString, schema: &str, findings: &mut Findings) -> bool {
    let Some(status) = findings.asked("migrations", database::migration_status(url, schema).await) else {
        return false;
    };
    if status.newer {
        let what = format!("the schema is at version {}, which this program does not know", status.version);
        findings.fail("migrations", what, "use the newer program, which has migrated it");
        return false;
    }
    if status.schema_exists && !status.ours {
        let what = format!("the schema {schema} was not made by this program");
        findings.fail("migrations", what, "give the name of another with COUNTERFOIL_SCHEMA");
        return false;
    }
    if !status.pending.is_empty() {
        let what = format!("{} are to be applied", status.pending.len());
        let cure = "run `counterfoil migrate` with MAINTENANCE_DATABASE_URL set to the owner's login";
        findings.fail("migrations", what, cure);
        return false;
    }
    findings.ok("migrations", format!("all applied, version {}", status.version));
    true
}

/// The login of `serve`: that it can log in, and could not change what was logged.
pub(super) async fn login(args: &DatabaseArgs, findings: &mut Findings) {
    const CHECK: &str = "service's login";
    let url = match args.service_url() {
        Ok(Some(url)) => url,
        Ok(None) => {
            let cure = "set it as `serve` has it, or run this where `serve` runs";
            return findings.warn(CHECK, "DATABASE_URL is not set, so it was not looked at", cure);
        }
        Err(error) => return findings.fail_as_told(CHECK, &error.to_string()),
    };
    let connected = Database::connect(args.pool(url, "counterfoil doctor", 1)).await;
    let Some(pool) = findings.judge(CHECK, connected, "can log in", UNREACHABLE) else { return };
    match pool.refuse_privileged().await {
        Ok(()) => findings.ok(CHECK, "owns nothing, and cannot change the log"),
        Err(database::Error::Refused(told)) => findings.fail_as_told(CHECK, &told),
        Err(error) => findings.fail(CHECK, error.to_string(), "see the log of the database"),
    }
}
