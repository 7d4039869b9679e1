//! Is it alive, and is it ready.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use read_models::ReadModels;
use relay::Projection as _;
use serde_json::json;
use tokio::time::timeout;

use crate::app::Shared;
use crate::methods::at;
use crate::metrics::metrics;
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
