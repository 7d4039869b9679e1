//! The operator's console at `/console`: pages that the server writes, in two languages, whole without JavaScript.
//!
//! A page reads what the API reads, and an action is the same command that the API takes, appended in the name of the key
//! that has signed in. Nothing is fetched from elsewhere, and no page has a script or a style within it.
//!
//! A page is a module: its `routes`, a template with its `Layout`, and handlers that are given the `Visit`, which knows who
//! asks. `visit.me()` and `visit.operator()` say who may; `visit.read` and `visit.run` ask; `act::form` takes a form of ours
//! with its reason, `act::command` appends what it means. Whatever goes wrong is a `Fault`, and a page of its own. Each text
//! stands in `i18n`, and what events, reasons and states are called in `types`: in both languages, or it does not build.
//!
//! What takes long (a verification, a replay, a bundle) is one of the `jobs`: begun by a form, watched on its page.
//!
//! Never: SQL, a decision, or what came from outside without being escaped.

mod account;
mod act;
mod advice;
mod around;
mod assets;
mod bundles;
mod changes;
mod csrf;
mod dead_letters;
mod event;
mod events;
mod fault;
mod find;
mod goods;
mod i18n;
mod jobs;
mod layout;
mod log;
mod look;
mod orders;
mod overview;
mod pages;
mod payments;
mod read;
mod reasons;
mod rows;
mod session;
mod settings;
mod sinks;
mod ticket;
mod today;
mod types;
mod undelivered;
mod verifying;
mod visit;

use std::path::Path;
use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::web;
use evidence::Vault;
use http_api::Routes;

use bundles::Place;
use jobs::Jobs;
pub use settings::Setting;
pub use ticket::Ticket;
use today::Days;

/// Where the console stands.
pub const PATH: &str = "/console";

/// What the pages stand on beside the API.
pub(crate) struct Console {
    /// Seals sessions: whoever has the key-encryption key can open them, so that every instance does.
    pub(crate) vault: Vault,
    /// The settings in force.
    pub(crate) settings: Vec<Setting>,
    /// What was counted.
    pub(crate) days: Days,
    /// What takes long.
    pub(crate) jobs: Jobs,
    /// Where bundles are written.
    pub(crate) place: Place,
    /// Signs in once, in development only.
    pub(crate) ticket: Option<Ticket>,
}

/// The console's routes, to stand beside the API's. What is written for a while is below the folder of the service's state; a
/// ticket is for development alone.
#[must_use]
pub fn routes(vault: Vault, settings: Vec<Setting>, state: Option<&Path>, ticket: Option<Ticket>) -> Routes {
    let (days, jobs, place) = (Days::default(), Jobs::default(), Place::below(state));
    let console = Arc::new(Console { vault, settings, days, jobs, place, ticket });
    Arc::new(move |cfg: &mut web::ServiceConfig| {
        let console = Arc::clone(&console);
        let with_ticket = console.ticket.is_some();
        let pages = web::scope(PATH)
            .wrap(from_fn(move |request, next| around::page(Arc::clone(&console), request, next)))
            .configure(account::routes)
            .configure(|cfg| {
                if with_ticket {
                    account::ticket_routes(cfg)
                }
            })
            .configure(overview::routes)
            .configure(find::routes)
            .configure(events::routes)
            .configure(event::routes)
            .configure(orders::routes)
            .configure(payments::routes)
            .configure(dead_letters::routes)
            .configure(goods::routes)
            .configure(sinks::routes)
            .configure(undelivered::routes)
            .configure(log::routes)
            .configure(settings::routes)
            .default_service(web::to(pages::nowhere));
        cfg.configure(assets::routes).service(pages);
    })
}
