//! What all commands have in common: who, the body, the append, and the wait for what comes of it.

use std::time::Duration;

use access::{Identity, Role};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use delivery::{Bounds, Cursor, CursorError};
use domain::{Key, Position, ShopId};
use intake::{Accepted, By, CommandError, CommandKind, InvalidCommand, command};
use read_models::ReadModels;
use relay::Projection as _;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use crate::app::{Api, Shared};
use crate::counters::CommandResult;
use crate::problem::{Code, Problem};
use crate::{body, downstream, events, request, trace, views};

/// How often the checkpoint is read while the relay runs in another process.
const POLL: Duration = Duration::from_millis(100);

/// Who may give a command.
#[must_use]
pub fn roles(kind: CommandKind) -> &'static [Role] {
    match kind {
        CommandKind::OrderResolve
        | CommandKind::PaymentResolve
        | CommandKind::Configure
        | CommandKind::Redrive
        | CommandKind::Dismiss => &[Role::Operator],
        _ => &[Role::Shop],
    }
}

/// What a command that is in the log is answered with.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Taken {
    /// Where it stands: <epoch>-<position>.
    position: String,
    /// Its id there.
    event_id: String,
    /// What came of it, where that was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcomes: Option<Vec<Decided>>,
    /// What it was about, as it is now.
    #[serde(flatten)]
    #[schemars(with = "views::State")]
    state: Map<String, Value>,
}

/// An outcome of a command.
#[derive(Serialize, JsonSchema)]
struct Decided {
    /// Its type: `order.placed`.
    #[serde(rename = "type")]
    type_name: String,
    /// Where it stands: <epoch>-<position>.
    position: String,
    /// Why not otherwise, all of it.
    #[schemars(with = "Vec<domain::Reason>")]
    reasons: Value,
}

/// Takes one command and answers it. `subject` is what the path names.
pub(crate) async fn submit(
    api: Shared,
    request: HttpRequest,
    payload: web::Payload,
    kind: CommandKind,
    subject: Option<String>,
) -> Result<HttpResponse, Problem> {
    let answer = take(&api, &request, payload, kind, subject).await;
    api.counters.command(match &answer {
        Ok((_, accepted, _)) if accepted.known => CommandResult::Known,
        Ok(_) => CommandResult::New,
        Err(problem) => match problem.code() {
            Code::CommandConflict => CommandResult::Conflict,
            Code::InvalidCommand | Code::MalformedJson => CommandResult::Invalid,
            Code::Unauthorized | Code::Forbidden => CommandResult::Denied,
            Code::Unavailable => CommandResult::Unavailable,
            _ => CommandResult::Refused,
        },
    });
    let (identity, accepted, key) = answer?;
    respond(&api, &request, &identity, accepted, Some(key)).await
}

async fn take(
    api: &Shared,
    request: &HttpRequest,
    payload: web::Payload,
    kind: CommandKind,
    subject: Option<String>,
) -> Result<(Identity, Accepted, Key), Problem> {
    let identity = request::authorize(api, request, roles(kind)).await?;
    request::require_json(request.headers(), &[])?;
    let idempotency_key = request::idempotency_key(request.headers())?;
    let limits = &api.limits;
    let body = body::read(request, payload, limits.command_body, limits.body_deadline, &api.bodies).await?;
    let subject = match subject {
        Some(text) if kind.subject() == Some("of") => {
            Some(position(api, &identity.shop, &text).await?.0.into())
        }
        subject => subject.map(Value::from),
    };
    let command = command::read(kind, &identity.shop, subject, &body.bytes, idempotency_key.as_deref())
        .map_err(not_valid)?
        .of_trace(trace::of(request));
    let key = command.fact.key("");
    let by = By { shop: identity.shop.clone(), key_id: identity.key_id.clone() };
    let intake = api.intake.clone();
    let accepted = api.run(async move { intake.command(&by, command).await }).await?;
    Ok((identity, accepted.map_err(refused)?, key))
}

/// A body that is no command, as clients read it.
#[must_use]
pub fn not_valid(invalid: InvalidCommand) -> Problem {
    match invalid {
        InvalidCommand::NotJson(why) => Problem::new(Code::MalformedJson, why),
        InvalidCommand::Fields(fields) => {
            let detail = match fields.as_slice() {
                [one] if one.pointer.is_empty() => format!("The command {}.", one.detail),
                [one] => format!("{} {}.", one.pointer, one.detail),
                many => format!("{} things are wrong.", many.len()),
            };
            Problem::new(Code::InvalidCommand, detail).with_errors(fields)
        }
    }
}

/// A command that was not taken, as clients read it.
#[must_use]
pub fn refused(error: CommandError) -> Problem {
    match error {
        CommandError::TooLarge { .. } | CommandError::Invalid(_) => {
            Problem::new(Code::InvalidCommand, error.to_string())
        }
        CommandError::Conflict { .. } => {
            Problem::new(Code::CommandConflict, "A command with this id and other content is in the log.")
        }
        CommandError::NotFound(what) => Problem::new(Code::NotFound, what),
        CommandError::Unavailable { what, source } => Problem::unavailable(what, source.as_ref()),
        CommandError::Forked(fork) => Problem::forked(&fork),
        CommandError::Busy { after } => Problem::busy(after),
        error @ CommandError::Internal(_) => Problem::internal(&error),
    }
}

/// A position as clients write it; of another epoch it is answered with where to go on, as everywhere.
pub(crate) async fn position(api: &Api, shop: &ShopId, text: &str) -> Result<Position, Problem> {
    let epoch = epoch(api, shop).await?;
    match request::position(text, epoch) {
        Err(problem) if problem.code() == Code::EpochChanged => {}
        read => return read,
    }
    let Ok(cursor) = text.parse::<Cursor>() else { return request::position(text, epoch) };
    let (database, shop) = (api.database.clone(), shop.clone());
    let bounds = async move {
        let client = database.client().await?;
        Bounds::read(&client, &shop).await
    };
    let bounds = api.run(bounds).await?.map_err(|error| downstream::problem(&error))?;
    match bounds.resume(cursor) {
        Err(forked @ CursorError::Forked(_)) => Err(downstream::problem(&forked.into())),
        // The shop's row was read a moment before it forked.
        _ => Ok(cursor.position),
    }
}

/// The shop's epoch: the first half of every public position.
pub(crate) async fn epoch(api: &Api, shop: &ShopId) -> Result<i64, Problem> {
    let (intake, shop) = (api.intake.clone(), shop.clone());
    match api.run(async move { intake.shop(&shop).await }).await? {
        Ok(shop) => Ok(shop.feed_epoch),
        Err(error) => Err(match &*error {
            intake::ShopError::Unknown => Problem::new(Code::UnknownShop, "The key's shop is gone."),
            _ => Problem::unavailable("The shop's row", &error),
        }),
    }
}

/// Answers a command that is in the log: 202, or 200 with what came of it where the client would wait.
pub(crate) async fn respond(
    api: &Api,
    request: &HttpRequest,
    identity: &Identity,
    accepted: Accepted,
    key: Option<Key>,
) -> Result<HttpResponse, Problem> {
    let shop = &identity.shop;
    let epoch = epoch(api, shop).await?;
    let position = format!("{epoch}-{}", accepted.position);
    let location = format!("/v1/events/{position}");
    let mut taken = Taken { position, event_id: accepted.id.to_string(), outcomes: None, state: Map::new() };
    let wait = request::wait(request.headers());
    // Whoever has as many waiting as it may have is answered at once: it is in the log.
    if let Some(wait) = wait
        && let Some(_waiting) = api.admission.wait(identity)
        && applied(api, shop, accepted.position, wait).await?
    {
        decided(api, shop, accepted.position, epoch, key, &mut taken).await?;
        return Ok(HttpResponse::Ok()
            .insert_header((header::LOCATION, location))
            .insert_header(("preference-applied", format!("wait={}", wait.as_secs())))
            .json(taken));
    }
    let mut response = HttpResponse::Accepted();
    response.insert_header((header::LOCATION, location));
    Ok(response.json(taken))
}

async fn decided(
    api: &Api,
    shop: &ShopId,
    position: Position,
    epoch: i64,
    key: Option<Key>,
    taken: &mut Taken,
) -> Result<(), Problem> {
    let outcomes = events::outcomes_of(api, shop, position).await?;
    let outcomes = outcomes.iter().map(|event| {
        let data: Value = serde_json::from_str(event.data()).unwrap_or_default();
        let reasons = data.get("reasons").or_else(|| data.pointer("/order/refusals"));
        let reasons = reasons.cloned().unwrap_or_else(|| json!([]));
        Decided {
            type_name: event.type_name.clone(),
            position: format!("{epoch}-{}", event.position),
            reasons,
        }
    });
    taken.outcomes = Some(outcomes.collect());
    if let Some(key) = key
        && let Some((name, state)) = views::state_of(api, shop, &key, epoch).await?
    {
        taken.state.insert(name.into(), state);
    }
    Ok(())
}

/// Waits until the relay has passed the position; says whether it has.
pub(crate) async fn applied(
    api: &Api,
    shop: &ShopId,
    position: Position,
    wait: Duration,
) -> Result<bool, Problem> {
    let deadline = Instant::now() + wait;
    if let Some(relay) = &api.relay {
        let mut watch = relay.applied(shop);
        let passed = timeout_at(deadline, watch.wait_for(|applied| *applied >= position.0)).await;
        return Ok(matches!(passed, Ok(Ok(_))));
    }
    loop {
        if applied_position(api, shop).await? >= position.0 {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep_until(deadline.min(Instant::now() + POLL)).await;
    }
}

/// Up to where the shop's facts are decided; -1: nothing yet.
pub(crate) async fn applied_position(api: &Api, shop: &ShopId) -> Result<i64, Problem> {
    if let Some(relay) = &api.relay {
        return Ok(*relay.applied(shop).borrow());
    }
    let (database, shop) = (api.database.clone(), shop.clone());
    api.run(async move { relay::checkpoint(&database, ReadModels::default().consumer(), &shop).await })
        .await?
        .map_err(|e| Problem::unavailable("The relay's checkpoint", &e))
}
