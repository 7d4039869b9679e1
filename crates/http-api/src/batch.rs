//! `POST /v1/stock:batch`: many changes of stock as NDJSON, read as it comes, in pieces that are bounded.
//!
//! Each line is a command of its own with an id of its own. A line that is wrong is named, the others are taken; as
//! every line counts once, the whole batch can be sent again.

use actix_web::web::BytesMut;
use actix_web::{HttpRequest, HttpResponse, web};
use domain::{Position, ShopId};
use futures_util::future::join_all;
use intake::{By, Command, CommandError, FieldProblem, Intake, InvalidCommand, command};
use serde_json::json;
use tokio::time::Instant;
use trace_context::TraceParent;

use access::Role;

use crate::app::Shared;
use crate::counters::CommandResult;
use crate::methods::at;
use crate::problem::{Code, Problem};
use crate::{body, commands, request, trace};

/// Lines that are appended together.
const CHUNK: usize = 256;
/// Errors that one answer names.
const ERRORS_MAX: usize = 100;
/// How often a full queue is tried again, each time after a longer pause.
const TRIES: u32 = 8;

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/v1/stock:batch").post(stock).done());
}

#[derive(Default)]
struct Tally {
    line: usize,
    accepted: u64,
    known: u64,
    refused: u64,
    last: Option<Position>,
    errors: Vec<FieldProblem>,
}

impl Tally {
    fn refuse(&mut self, line: usize, pointer: &str, detail: &str) {
        self.refused += 1;
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(FieldProblem::new(format!("/{line}{pointer}"), detail));
        }
    }

    fn refuse_all(&mut self, line: usize, invalid: InvalidCommand) {
        match invalid {
            InvalidCommand::NotJson(why) => self.refuse(line, "", &why),
            InvalidCommand::Fields(fields) => {
                self.refused += 1;
                for field in fields {
                    if self.errors.len() < ERRORS_MAX {
                        self.errors
                            .push(FieldProblem::new(format!("/{line}{}", field.pointer), field.detail));
                    }
                }
            }
        }
    }
}

async fn stock(
    api: Shared,
    request: HttpRequest,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, &[Role::Shop]).await?;
    request::require_json(request.headers(), &["application/x-ndjson", "application/ndjson"])?;
    body::refuse_encoding(&request)?;
    let by = By { shop: identity.shop, key_id: identity.key_id };
    let epoch = commands::epoch(&api, &by.shop).await?;
    let mut tally = Tally::default();
    let read = read_lines(&api, &by, trace::of(&request), &mut payload, &mut tally).await;
    let last = tally.last.map(|position| format!("{epoch}-{position}"));
    let counts = |problem: Problem| {
        problem
            .with("accepted", tally.accepted)
            .with("known", tally.known)
            .with("refused", tally.refused)
            .with("last_position", last.clone())
    };
    if let Err(problem) = read {
        return Err(counts(problem));
    }
    if tally.refused > 0 {
        let detail = format!("{} lines were not taken; `errors` counts lines from 1.", tally.refused);
        return Err(counts(Problem::new(Code::BatchIncomplete, detail)).with_errors(tally.errors));
    }
    let mut document = json!({ "accepted": tally.accepted, "known": tally.known, "last_position": last });
    if let (Some(wait), Some(position)) = (request::wait(request.headers()), tally.last) {
        document["applied"] = commands::applied(&api, &by.shop, position, wait).await?.into();
    }
    Ok(HttpResponse::Ok().json(document))
}

async fn read_lines(
    api: &Shared,
    by: &By,
    trace: Option<TraceParent>,
    payload: &mut web::Payload,
    tally: &mut Tally,
) -> Result<(), Problem> {
    let limits = &api.limits;
    let end = Instant::now() + limits.batch_deadline;
    let (mut buffer, mut read) = (BytesMut::new(), 0);
    let mut commands: Vec<(usize, Command)> = Vec::with_capacity(CHUNK);
    while let Some(chunk) = body::next(payload, end.min(Instant::now() + limits.body_deadline)).await? {
        read += chunk.len();
        if read > limits.batch_body {
            return Err(body::too_large(limits.batch_body));
        }
        buffer.extend_from_slice(&chunk);
        while let Some(at) = buffer.iter().position(|byte| *byte == b'\n') {
            let line = buffer.split_to(at + 1);
            take_line(&by.shop, &line, limits.batch_line, tally, &mut commands);
            if commands.len() == CHUNK {
                append(api, by, trace, &mut commands, tally).await?;
            }
        }
        if buffer.len() > limits.batch_line {
            return Err(Problem::new(
                Code::TooLarge,
                format!("A line has more than {} bytes.", limits.batch_line),
            ));
        }
    }
    take_line(&by.shop, &buffer, limits.batch_line, tally, &mut commands);
    append(api, by, trace, &mut commands, tally).await
}

fn take_line(
    shop: &ShopId,
    line: &[u8],
    limit: usize,
    tally: &mut Tally,
    commands: &mut Vec<(usize, Command)>,
) {
    tally.line += 1;
    if line.iter().all(u8::is_ascii_whitespace) {
        return;
    }
    if line.len() > limit {
        return tally.refuse(tally.line, "", "is too long");
    }
    match command::read_stock_line(shop, line) {
        Ok(command) => commands.push((tally.line, command)),
        Err(invalid) => tally.refuse_all(tally.line, invalid),
    }
}

async fn append(
    api: &Shared,
    by: &By,
    trace: Option<TraceParent>,
    commands: &mut Vec<(usize, Command)>,
    tally: &mut Tally,
) -> Result<(), Problem> {
    let commands = std::mem::take(commands);
    let (intake, by) = (api.intake.clone(), by.clone());
    let answers = api
        .run(async move {
            let each = commands.into_iter().map(|(line, command)| {
                let (intake, by) = (&intake, &by);
                async move { (line, append_one(intake, by, command.of_trace(trace)).await) }
            });
            join_all(each).await
        })
        .await?;
    for (line, answer) in answers {
        match answer {
            Ok(accepted) => {
                api.counters.command(if accepted.known { CommandResult::Known } else { CommandResult::New });
                *(if accepted.known { &mut tally.known } else { &mut tally.accepted }) += 1;
                tally.last = tally.last.max(Some(accepted.position));
            }
            Err(
                error @ (CommandError::Unavailable { .. }
                | CommandError::Forked(_)
                | CommandError::Busy { .. }
                | CommandError::Internal(_)),
            ) => {
                return Err(commands::refused(error));
            }
            Err(error @ CommandError::Conflict { .. }) => {
                api.counters.command(CommandResult::Conflict);
                tally.refuse(line, "/id", &error.to_string());
            }
            Err(error) => {
                api.counters.command(CommandResult::Invalid);
                tally.refuse(line, "", &error.to_string());
            }
        }
    }
    Ok(())
}

async fn append_one(intake: &Intake, by: &By, command: Command) -> Result<intake::Accepted, CommandError> {
    let mut tries = 0;
    loop {
        match intake.command(by, command.clone()).await {
            Err(CommandError::Busy { .. }) if tries < TRIES => {
                tries += 1;
                tokio::time::sleep(std::time::Duration::from_millis(10 << tries)).await;
            }
            answer => return answer,
        }
    }
}
