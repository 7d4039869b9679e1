//! A witness by the rules of <https://c2sp.org/tlog-witness>, without anything to keep what it has seen over its end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use tlog::{Checkpoint, Cosigner, Note, Policy, Submission, Verifier, verify_consistency};

/// A witness that knows some logs, and is there until it is dropped.
pub trait AnyWitness {
    /// Its key.
    fn verifier(&self) -> &Verifier;

    /// Where checkpoints are submitted to.
    fn url(&self) -> String;

    /// Its line of a policy file.
    fn policy_line(&self) -> String {
        let verifier = self.verifier();
        format!("witness {} {verifier} {}", verifier.name().replace('/', "-"), self.url())
    }
}

/// Our own.
pub struct TestWitness {
    address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    cosigner: Cosigner,
    policy: Policy,
    /// By origin.
    seen: Mutex<HashMap<String, (Checkpoint, Note)>>,
    answered: Mutex<Vec<u16>>,
    is_down: Mutex<bool>,
    shows_nothing: Mutex<bool>,
}

impl TestWitness {
    /// One of this name, for the log of this key.
    pub async fn start(name: &str, log: &Verifier) -> Self {
        let inner = Arc::new(Inner {
            cosigner: Cosigner::from_seed(name, &[9; 32]).unwrap(),
            policy: Policy::of_log(log.clone()).unwrap(),
            seen: Mutex::default(),
            answered: Mutex::default(),
            is_down: Mutex::default(),
            shows_nothing: Mutex::default(),
        });
        let data = web::Data::from(Arc::clone(&inner));
        let server =
            HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(answer)))
                .workers(1)
                .disable_signals()
                .bind("127.0.0.1:0")
                .unwrap();
        let address = server.addrs()[0];
        tokio::spawn(server.run());
        Self { address, inner }
    }

    /// The size of the last checkpoint of this origin that it cosigned.
    pub fn size(&self, origin: &str) -> u64 {
        lock(&self.inner.seen).get(origin).map_or(0, |(checkpoint, _)| checkpoint.size())
    }

    /// Every status that it answered a submission with.
    pub fn answered(&self) -> Vec<u16> {
        lock(&self.inner.answered).clone()
    }

    /// Has it answer 503 from now on, or no more.
    pub fn set_down(&self, is_down: bool) {
        *lock(&self.inner.is_down) = is_down;
    }

    /// Has it keep to itself from now on what it has seen, as some do: that it is shown is a SHOULD.
    pub fn show_nothing(&self) {
        *lock(&self.inner.shows_nothing) = true;
    }
}

impl AnyWitness for TestWitness {
    fn verifier(&self) -> &Verifier {
        self.inner.cosigner.verifier()
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn answer(request: HttpRequest, body: web::Bytes, inner: web::Data<Inner>) -> HttpResponse {
    if *lock(&inner.is_down) {
        return HttpResponse::ServiceUnavailable().finish();
    }
    if request.path() == "/add-checkpoint" {
        let answer = inner.add(&body);
        lock(&inner.answered).push(answer.status().as_u16());
        return answer;
    }
    if *lock(&inner.shows_nothing) {
        return HttpResponse::NotFound().finish();
    }
    let of_path = |origin: &str| format!("/{}/checkpoint", sha256(origin)) == request.path();
    let seen = lock(&inner.seen);
    match seen.iter().find(|(origin, _)| of_path(origin)) {
        Some((_, (_, note))) => HttpResponse::Ok().body(note.to_string()),
        None => HttpResponse::NotFound().finish(),
    }
}

impl Inner {
    fn add(&self, body: &[u8]) -> HttpResponse {
        let refuse = |status: u16, why: &'static str| {
            HttpResponse::build(StatusCode::from_u16(status).unwrap()).body(why)
        };
        let Ok(Submission { old_size, proof, checkpoint: mut note }) = Submission::parse(body) else {
            return refuse(400, "malformed");
        };
        let Ok(checkpoint) = Checkpoint::parse(note.text()) else { return refuse(400, "no checkpoint") };
        if self.policy.logs().iter().all(|log| log.verifier.name() != checkpoint.origin()) {
            return refuse(404, "unknown origin");
        }
        if self.policy.open(&note).is_err() {
            return refuse(403, "not signed by the log");
        }
        if old_size > checkpoint.size() {
            return refuse(400, "it shrinks");
        }
        let mut seen = lock(&self.seen);
        let known = seen.get(checkpoint.origin()).map(|(checkpoint, _)| checkpoint.clone());
        let size = known.as_ref().map_or(0, Checkpoint::size);
        if size != old_size {
            return HttpResponse::Conflict().content_type("text/x.tlog.size").body(format!("{size}\n"));
        }
        if let Some(known) = &known {
            if size == checkpoint.size() && known.root() != checkpoint.root() {
                return refuse(422, "another root");
            }
            if verify_consistency(size, checkpoint.size(), &proof, known.root(), checkpoint.root()).is_err() {
                return refuse(422, "it does not go on from what was seen");
            }
        } else if !proof.is_empty() {
            return refuse(422, "nothing is proven from nothing");
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let cosignature = self.cosigner.cosign(&note, now);
        note.add(cosignature.clone()).unwrap();
        seen.insert(checkpoint.origin().to_owned(), (checkpoint, note));
        HttpResponse::Ok().body(cosignature.to_string())
    }
}

fn sha256(text: &str) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
