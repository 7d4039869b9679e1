//! Is it alive, is it ready, what has it done.

use std::fmt::Write as _;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use audit::tree::{self, TreeStatus};
use delivery::Reader;
use read_models::ReadModels;
use reconciliation::Standing;
use relay::Projection as _;
use serde_json::json;
use tokio::time::timeout;

use crate::app::{Shared, at};
use crate::problem::{Code, Problem};

/// Readiness is asked every few seconds: an answer that takes longer is a no.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/livez").get(livez).done())
        .service(at("/readyz").get(readyz).done())
        .service(at("/metrics").get(metrics).done());
}

/// The process alone, never the database: a restart mends no database.
async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

async fn readyz(api: Shared) -> Result<HttpResponse, Problem> {
    let database = api.database.clone();
    let asked = api.run(async move { timeout(PATIENCE, database.now()).await }).await?;
    let database = match asked {
        Ok(Ok(_)) => "ok",
        Ok(Err(_)) => "unavailable",
        Err(_) => "slow",
    };
    let relays = Relays::ask(&api).await?;
    let draining = api.is_draining();
    let guard = api.intake.guard();
    // One log that has forked is no reason to turn away what others take.
    let ready = database == "ok" && !relays.all_are_stuck && !guard.all_have_forked() && !draining;
    let forked: Vec<String> = guard.forks().iter().map(ToString::to_string).collect();
    let document = json!({
        "ready": ready, "database": database, "relay": relays.state, "stuck": relays.stuck, "forked": forked,
        "draining": draining,
    });
    if !ready {
        // In the same words as when it is ready, so that a probe shows which part is missing.
        let mut problem = Problem::new(Code::Unavailable, "Not ready.");
        for (name, value) in document.as_object().into_iter().flatten() {
            problem = problem.with(name, value.clone());
        }
        return Err(problem);
    }
    Ok(HttpResponse::Ok().json(document))
}

/// How the shops' relays get on, in whichever processes they run.
struct Relays {
    /// `ok`, or how the first shop stands that does not get on, or `unknown`.
    state: &'static str,
    /// The shops that do not get on.
    stuck: Vec<String>,
    all_are_stuck: bool,
}

impl Relays {
    /// Between two leaders nobody leads for a few seconds, and one shop may be stuck by itself: neither is a reason to turn
    /// callbacks away, which are kept until somebody decides them.
    async fn ask(api: &Shared) -> Result<Self, Problem> {
        let database = api.database.clone();
        let asked = async move {
            timeout(PATIENCE, relay::health(&database, ReadModels::default().consumer())).await
        };
        let Ok(Ok(shops)) = api.run(asked).await? else {
            return Ok(Self { state: "unknown", stuck: Vec::new(), all_are_stuck: false });
        };
        let stuck: Vec<_> = shops.iter().filter(|shop| !shop.standing().is_well()).collect();
        Ok(Self {
            state: stuck.first().map_or("ok", |shop| shop.standing().name()),
            stuck: stuck.iter().map(|shop| shop.shop.clone()).collect(),
            all_are_stuck: relay::all_are_stuck(&shops),
        })
    }
}

async fn metrics(api: Shared) -> HttpResponse {
    let mut text = api.counters.to_prometheus();
    let (size, free, waiting) = api.database.pool_status();
    text.push_str("# HELP counterfoil_database_sessions Sessions with the database.\n");
    text.push_str("# TYPE counterfoil_database_sessions gauge\n");
    for (state, value) in [("open", size), ("free", free), ("waited_for", waiting)] {
        text.push_str(&format!("counterfoil_database_sessions{{state=\"{state}\"}} {value}\n"));
    }
    text.push_str(
        "# HELP counterfoil_log_forked 1: the log is not the one that it was, and takes nothing.\n",
    );
    text.push_str("# TYPE counterfoil_log_forked gauge\n");
    for fork in api.intake.guard().forks() {
        text.push_str(&format!("counterfoil_log_forked{{shop=\"{}\"}} 1\n", fork.shop));
    }
    let database = api.database.clone();
    let asked = api.run(async move { timeout(PATIENCE, delivery::readers(&database)).await }).await;
    // Without the database the rest is told all the same.
    if let Ok(Ok(Ok(readers))) = asked {
        text.push_str(&of_readers(&readers));
    }
    let database = api.database.clone();
    let asked = api.run(async move { timeout(PATIENCE, tree::trees(&database)).await }).await;
    if let Ok(Ok(Ok(trees))) = asked {
        text.push_str(&of_trees(&trees));
    }
    let database = api.database.clone();
    let asked = api.run(async move { timeout(PATIENCE, reconciliation::standings(&database)).await }).await;
    if let Ok(Ok(Ok(standings))) = asked {
        text.push_str(&of_standings(&standings));
    }
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}

/// How the shops are reconciled with PayPal. Every process says the same of them: take the highest.
fn of_standings(standings: &[Standing]) -> String {
    let mut text = String::new();
    let mut family = |kind: &str, name: &str, help: &str, value: fn(&Standing) -> i64| {
        // Writing to a String cannot fail. Names of shops have no character that a label would have to escape.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for standing in standings {
            let _ = writeln!(text, "{name}{{shop=\"{}\"}} {}", standing.shop, value(standing));
        }
    };
    let (gauge, counter) = ("gauge", "counter");
    family(counter, "counterfoil_reconciled_events_total", "Events that PayPal has listed.", |s| s.listed);
    family(counter, "counterfoil_reconciled_missing_total", "Events that never came and were found.", |s| {
        s.appended
    });
    family(counter, "counterfoil_captures_confirmed_total", "Captures that PayPal confirmed.", |s| {
        s.confirmed
    });
    family(counter, "counterfoil_captures_refuted_total", "Captures that PayPal refuted.", |s| s.refuted);
    family(gauge, "counterfoil_captures_awaiting", "Captures that wait to be confirmed.", |s| s.awaiting);
    family(counter, "counterfoil_orders_looked_up_total", "Orders looked up at PayPal.", |s| s.looked_up);
    family(
        gauge,
        "counterfoil_reconciliation_age_seconds",
        "How long ago a run ended well; -1: never.",
        |s| s.ran_age_ms.map_or(-1, |age| age / 1000),
    );
    family(gauge, "counterfoil_reconciliation_well", "1: the last run ended well; 0: look at it.", |s| {
        i64::from(s.error.is_none())
    });
    text
}

/// The trees that were begun. Every process says the same of them: take the highest.
fn of_trees(trees: &[TreeStatus]) -> String {
    let mut text = String::new();
    let mut family = |name: &str, help: &str, value: fn(&TreeStatus) -> u64| {
        // Writing to a String cannot fail. Names of shops have no character that a label would have to escape.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for tree in trees.iter().filter(|tree| tree.is_begun()) {
            let _ = writeln!(text, "{name}{{shop=\"{}\"}} {}", tree.shop, value(tree));
        }
    };
    family("counterfoil_tree_size", "Events in the Merkle tree.", |tree| tree.size);
    family("counterfoil_tree_lag_events", "Events of the log that are not in it.", TreeStatus::lag);
    family("counterfoil_tree_lag_seconds", "How long the first of them has been there.", |tree| {
        seconds(tree.waiting_age_ms)
    });
    family("counterfoil_tree_published_size", "Events in the checkpoint that was published last.", |tree| {
        tree.published_size.unwrap_or(0)
    });
    family("counterfoil_tree_published_age_seconds", "How long ago that was; it waits for events.", |tree| {
        seconds(tree.published_age_ms)
    });
    family("counterfoil_tree_well", "1: it grows, or there is nothing to grow by; 0: look at it.", |tree| {
        u64::from(tree.is_well())
    });
    text
}

/// Sinks and consumers. Every process says the same of them: take the highest.
fn of_readers(readers: &[Reader]) -> String {
    let mut text = String::new();
    let mut family = |name: &str, help: &str, value: fn(&Reader) -> i64| {
        // Writing to a String cannot fail. Names have no character that a label would have to escape.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for reader in readers {
            let Reader { shop, kind, name: reader_name, .. } = reader;
            let labels = format!("shop=\"{shop}\",kind=\"{kind}\",name=\"{reader_name}\"");
            let _ = writeln!(text, "{name}{{{labels}}} {}", value(reader));
        }
    };
    family("counterfoil_reader_lag_events", "Events behind a sink or a consumer.", |reader| {
        reader.lag_events
    });
    family("counterfoil_reader_lag_seconds", "How long the first of them has been there.", |reader| {
        reader.lag_ms / 1000
    });
    family("counterfoil_reader_well", "1: it runs and something gets through; 0: look at it.", |reader| {
        i64::from(reader.state == "running")
    });
    family("counterfoil_sink_waiting", "Events that were set aside and are tried again.", |reader| {
        reader.waiting
    });
    family("counterfoil_sink_dead", "Dead letters of a sink.", |reader| reader.dead);
    text
}

fn seconds(age_ms: Option<i64>) -> u64 {
    u64::try_from(age_ms.unwrap_or(0) / 1000).unwrap_or(0)
}
