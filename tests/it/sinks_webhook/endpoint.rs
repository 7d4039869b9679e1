//! Endpoints of outgoing webhooks: one that does as it is told, one with TLS, and some that misbehave.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) id: String,
    pub(super) timestamp: i64,
    pub(super) signature: String,
    pub(super) content_type: String,
    pub(super) user_agent: String,
    pub(super) body: String,
    pub(super) key: String,
    pub(super) sequence: i64,
    /// What was answered.
    pub(super) status: u16,
}

/// What an endpoint answers.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Status(u16),
    /// With a header.
    With(u16, &'static str, String),
    Never,
}

type Rule = Arc<dyn Fn(&Taken) -> Answer + Send + Sync>;

/// An HTTP endpoint that keeps what it is sent.
pub(super) struct Endpoint {
    address: std::net::SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    taken: Mutex<Vec<Taken>>,
    rule: Mutex<Rule>,
}

impl Endpoint {
    /// One that takes everything.
    pub(super) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub(super) async fn start_at(address: &str) -> Self {
        let rule: Rule = Arc::new(|_| Answer::Status(204));
        let inner = Arc::new(Inner { taken: Mutex::default(), rule: Mutex::new(rule) });
        let data = web::Data::from(inner.clone());
        let server =
            HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(take)))
                .workers(1)
                .disable_signals()
                .bind(address)
                .unwrap();
        let address = server.addrs()[0];
        tokio::spawn(server.run());
        Self { address, inner }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers by a rule from now on.
    pub(super) fn answer(&self, rule: impl Fn(&Taken) -> Answer + Send + Sync + 'static) {
        *self.inner.rule.lock().unwrap() = Arc::new(rule);
    }

    /// All that came.
    pub(super) fn requests(&self) -> Vec<Taken> {
        self.inner.taken.lock().unwrap().clone()
    }

    /// What was answered with a success.
    pub(super) fn delivered(&self) -> Vec<Taken> {
        self.requests().into_iter().filter(|taken| (200..300).contains(&taken.status)).collect()
    }
}

async fn take(request: HttpRequest, body: String, inner: web::Data<Inner>) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
    let event: Value = serde_json::from_str(&body).unwrap();
    let mut taken = Taken {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp").parse().unwrap(),
        signature: header("webhook-signature"),
        content_type: header("content-type"),
        user_agent: header("user-agent"),
        key: event["subject"].as_str().unwrap().to_owned(),
        sequence: event["sequence"].as_str().unwrap().parse().unwrap(),
        body,
        status: 0,
    };
    let rule = inner.rule.lock().unwrap().clone();
    let answer = rule(&taken);
    let mut response = HttpResponse::NoContent();
    if let Answer::Status(status) | Answer::With(status, ..) = answer {
        taken.status = status;
        response.status(StatusCode::from_u16(status).unwrap());
    }
    if let Answer::With(_, name, value) = &answer {
        response.insert_header((*name, value.as_str()));
    }
    inner.taken.lock().unwrap().push(taken);
    match answer {
        Answer::Never => std::future::pending().await,
        Answer::Status(204) => response.finish(),
        _ => response.body("the endpoint's own words\n<html>"),
    }
}

/// What a server does with a connection that is no endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Hangs,
    StreamsForEver { status: &'static str },
    Closes,
    Garbage,
}

/// A server that misbehaves, and how many of its connections are open.
pub(super) struct Faulty {
    pub(super) url: String,
    pub(super) open: Arc<AtomicUsize>,
}

impl Faulty {
    pub(super) async fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let open = Arc::new(AtomicUsize::new(0));
        let count = open.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let count = count.clone();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let _ = misbehave(stream, fault).await;
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, open }
    }
}

async fn misbehave(mut stream: TcpStream, fault: Fault) -> std::io::Result<()> {
    let mut buffer = [0; 8192];
    if stream.read(&mut buffer).await? == 0 {
        return Ok(());
    }
    match fault {
        Fault::Hangs => while stream.read(&mut buffer).await? > 0 {},
        Fault::StreamsForEver { status } => {
            let head = format!("HTTP/1.1 {status}\r\ncontent-type: text/plain\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(&[b'x'; 8192]).await?;
            }
        }
        Fault::Closes => {}
        Fault::Garbage => stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await?,
    }
    Ok(())
}

/// A server with a certificate that only itself vouches for: its port, and the certificate.
pub(super) fn start_tls() -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let (config, pem) = (Arc::new(config), made.cert.pem());
    let listener = std::net::TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = config.clone();
            std::thread::spawn(move || {
                let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                let mut request = Vec::new();
                // The document is the last thing of a request, and ends so.
                while !request.ends_with(b"}}") {
                    let mut buffer = [0; 4096];
                    match stream.read(&mut buffer) {
                        Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
                        _ => return,
                    }
                }
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
            });
        }
    });
    (port, pem)
}
