//! `serve`: takes callbacks and commands, decides, answers, until it is told to stop.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use audit::tree::LogKeys;
use clap::Args;
use database::Database;
use evidence::{KeyEncryptionKey, Vault};
use intake::Trusts;
use read_models::Redrives;
use secrecy::SecretString;

use crate::cli::Globals;
use crate::config::ServiceArgs;
use crate::effective;
use crate::exit::{self, Exit};
use crate::service::{self, Parts, Service, Signing};
use crate::supervision::Supervised;
use crate::trust;

/// Serve: take callbacks and commands, decide, answer.
#[derive(Debug, Args)]
#[command(after_help = "\
DATABASE_URL (or DATABASE_URL_FILE) is the login of the service: a member of counterfoil_service that owns nothing; a
superuser or the owner is refused. SIGTERM and Ctrl-C let open requests end, and all ends within 10 seconds; exit 69 when
something had to be left.

Any number of processes may serve one database: one of them leads each shop, and when it goes, another leads within 5
seconds. With --no-relay a process takes callbacks and commands and answers, and leaves deciding and delivering to the
others.

With COUNTERFOIL_LOG_KEY_FILE (see `keys log create`) and COUNTERFOIL_LOG_ORIGIN each log has a Merkle tree, whose signed
checkpoints stand at /log/<shop>/checkpoint, and below COUNTERFOIL_LOG_DIR too where that is set.

With --paypal-credentials each shop that has a file <shop>.json there ({\"client_id\": .., \"client_secret\": ..}) is
reconciled with PayPal: events that never came are brought in, captures above the shop's confirmation amount are confirmed
before they count, and unpaid orders are looked up.

With --tls-cert and --tls-key it serves HTTPS (TLS 1.2 and 1.3), and takes a renewed certificate within seconds, by itself.
The operator's console stands at /console: sign in with a key of the role operator or viewer.

PostgreSQL is reached by TLS as DATABASE_URL says: sslmode=verify-full&sslrootcert=/etc/counterfoil/database-ca.pem.

Examples:
  DATABASE_URL=postgres://counterfoil@db/shop COUNTERFOIL_KEK_FILE=/etc/counterfoil/kek \\
      counterfoil serve --listen 0.0.0.0:8080 --roots /etc/counterfoil/roots
  counterfoil serve --no-relay --listen 0.0.0.0:8081")]
pub(crate) struct Serve {
    #[command(flatten)]
    service: ServiceArgs,
}

impl Serve {
    pub(crate) async fn run(self, _globals: &Globals) -> anyhow::Result<Exit> {
        let args = self.service;
        let retention = args.retention();
        let url = args.database.service_url()?;
        let url = url.ok_or_else(|| exit::config("no database: set DATABASE_URL or DATABASE_URL_FILE"))?;
        // The development folder is no place for a real service's key: here it must be named.
        let kek = KeyEncryptionKey::from_file(&args.kek.file(None)?)
            .map_err(|error| exit::config(error.to_string()))?;
        let signing = signing(&args)?;
        let believed = trust::of_paypal(&args.trust)?;
        if args.trust.roots.is_none() {
            tracing::warn!(
                "no --roots: PayPal's certificates need an intermediate that the system's store has not"
            );
        }
        let (tls, limits) = (args.door.tls()?, args.door.limits());
        is_migrated(&url, &args.database.schema).await.map_err(unavailable)?;
        let pool = args.database.pool(url, "counterfoil serve", usize::from(args.pool_size));
        let database = Database::connect(pool).await?;
        database.refuse_privileged().await?;
        let accounts = args.paypal.accounts(&database).await?;
        let postback = args.postback(&accounts)?.map(Arc::new);
        let trusts = Trusts { paypal: Some(believed), dev: None, postback };
        args.door.raise_file_limit();
        let listener = TcpListener::bind(args.listen).map_err(|error| cannot_listen(args.listen, &error))?;
        let after = args.redrive_after.iter().copied().map(Duration::from_secs).collect();
        let redrives = Redrives { after };
        let (vault, decides) = (Vault::new(kek), !args.no_relay);
        let (log_dir, state_dir, witnesses) = (args.log_dir, args.state_dir, args.witnesses);
        let parts = Parts {
            database,
            vault,
            trusts,
            listener,
            tls,
            limits,
            redrives,
            decides,
            retention,
            digest_every: Some(args.digest_every),
            state_dir,
            signing,
            log_dir,
            witnesses,
            accounts,
            reconcile_every: args.paypal.reconcile_every,
            settings: effective::settings(),
            ticket: None,
        };
        let mut service = Service::start(parts).await?;
        let supervised = Supervised::ready(&format!("serving on {}", service.address()));
        tokio::select! {
            error = service.failed() => return Err(error),
            asked = service::asked_to_stop() => asked?,
        }
        supervised.stopping();
        service.stop().await?;
        Ok(Exit::Ok)
    }
}

/// How the logs are signed. A file that cannot be used is told at once, and not by a tree that does not grow.
fn signing(args: &ServiceArgs) -> anyhow::Result<Option<Signing>> {
    let Some(key_file) = args.log.key_file(None) else {
        tracing::warn!(
            "no log key: no Merkle tree is grown, so that nobody can prove what is in the logs; make one with \
             `counterfoil keys log create`, and set COUNTERFOIL_LOG_KEY_FILE"
        );
        return Ok(None);
    };
    LogKeys::from_file(&key_file).map_err(|error| exit::config(error.to_string()))?;
    Ok(Some(Signing { key_file, origin: args.log.origin(None)? }))
}

/// Says what to look at, of a database that cannot be had at the start.
fn unavailable(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<database::Error>() {
        Some(database::Error::Unavailable(_)) => exit::unavailable(format!(
            "{error}; see that DATABASE_URL names a server that runs, takes writes, and has the database and the login"
        )),
        _ => error,
    }
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    let cure = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!(
                ": give another --listen, or see who has it with `ss -ltnp 'sport = :{}'`",
                address.port()
            )
        }
        std::io::ErrorKind::AddrNotAvailable => {
            ": this host has no such address; 0.0.0.0 is all of them".to_owned()
        }
        std::io::ErrorKind::PermissionDenied => {
            ": a port below 1024 needs a right of its own; give another".to_owned()
        }
        _ => String::new(),
    };
    exit::config(format!("{address} cannot be listened on: {error}{cure}"))
}

/// Refuses a schema that lacks what this version needs. One that has more is that of a newer version beside this one,
/// which takes care to leave room for it.
pub(crate) async fn is_migrated(url: &SecretString, schema: &str) -> anyhow::Result<()> {
    let status = database::migration_status(url, schema).await?;
    if status.ours && status.pending.is_empty() {
        return Ok(());
    }
    Err(exit::config(format!(
        "the schema {schema} is not up to date: run `counterfoil migrate` with MAINTENANCE_DATABASE_URL set to its owner"
    )))
}
