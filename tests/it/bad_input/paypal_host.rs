//! HTTPS on loopback in PayPal's place, and canaries: listeners that nobody must ever call.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use paypal::Fetch;
use rcgen::KeyPair;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::certificates::Ca;

/// Where the sandbox's certificates are.
pub(super) const HOST: &str = "api.sandbox.paypal.com";

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// What is answered for a certificate.
#[derive(Clone)]
pub(super) enum Reply {
    /// These bytes, and the end.
    Bytes(Vec<u8>),
    /// These bytes once, and then these for ever.
    Endless(Vec<u8>, Vec<u8>),
    /// These bytes, and then nothing for as long as the client waits.
    Silence(Vec<u8>),
}

impl Reply {
    /// An answer with a body.
    pub(super) fn new(status: &str, body: impl AsRef<[u8]>) -> Self {
        Self::with(status, "", body)
    }

    /// The same with more headers.
    pub(super) fn with(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let head = format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        Self::Bytes([head.as_bytes(), body].concat())
    }
}

/// A server that counts its requests.
pub(super) struct PaypalHost {
    address: SocketAddr,
    root_pem: String,
    requests: Arc<AtomicUsize>,
    down: Arc<AtomicBool>,
}

impl PaypalHost {
    /// Serves the replies by the certificate's name, to everybody who takes it for `name`.
    pub(super) fn start(name: &str, replies: HashMap<String, Reply>) -> Self {
        let ca = Ca::root("Web root");
        let key = KeyPair::generate().unwrap();
        let chain = CertificateDer::from_pem_slice(ca.server(name, &key).as_bytes()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![chain], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, down) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, ends, replies) = (requests.clone(), down.clone(), Arc::new(replies));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let (config, counter, replies) = (config.clone(), counter.clone(), replies.clone());
                thread::spawn(move || {
                    let stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream.unwrap());
                    answer(stream, &counter, &replies);
                });
            }
        });
        Self { address, root_pem: ca.pem(), requests, down }
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Refuses every connection from now on.
    pub(super) fn go_down(&self) {
        self.down.store(true, Ordering::SeqCst);
        // Wakes the listener, which then ends.
        let _ = TcpStream::connect(self.address);
        while TcpStream::connect(self.address).is_ok() {
            thread::yield_now();
        }
    }

    /// How a service comes here, and to the canary when it asks for any of its names.
    pub(super) fn fetch(&self, timeout: Duration, canary: &Canary) -> Fetch {
        let mut resolve = vec![(HOST.to_owned(), self.address)];
        resolve.extend(CANARY_NAMES.iter().map(|name| ((*name).to_owned(), canary.v4)));
        Fetch { timeout, roots: Some(self.root_pem.clone().into_bytes()), resolve }
    }
}

fn answer(mut stream: Stream, requests: &AtomicUsize, replies: &HashMap<String, Reply>) {
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(length) => head.extend_from_slice(&buffer[..length]),
        }
    }
    requests.fetch_add(1, Ordering::SeqCst);
    let head = String::from_utf8_lossy(&head);
    let name = head.split_whitespace().nth(1).and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    let missing = Reply::new("404 Not Found", "");
    // A client that has had enough closes the connection.
    let _ = write(&mut stream, replies.get(name).unwrap_or(&missing));
}

fn write(stream: &mut Stream, reply: &Reply) -> std::io::Result<()> {
    match reply {
        Reply::Bytes(bytes) => {
            stream.write_all(bytes)?;
            stream.flush()?;
            stream.conn.send_close_notify();
            stream.flush()
        }
        Reply::Endless(first, then) => {
            stream.write_all(first)?;
            loop {
                stream.write_all(then)?;
                stream.flush()?;
            }
        }
        Reply::Silence(bytes) => {
            stream.write_all(bytes)?;
            stream.flush()?;
            // Until the client goes.
            stream.read(&mut [0; 1]).map(drop)
        }
    }
}

/// Names that lead to the canary, were they ever asked for.
pub(super) const CANARY_NAMES: [&str; 12] = [
    "evil.example",
    "api.sandbox.paypal.com.evil.example",
    "api.sandbox.paypal.com.",
    "xapi.sandbox.paypal.com",
    "api-sandbox.paypal.com",
    "api-m.sandbox.paypal.com",
    "www.sandbox.paypal.com",
    "sandbox.paypal.com",
    "api.paypal.com",
    "paypal.com",
    "localhost",
    "metadata.google.internal",
];

/// Counts whoever connects, by either version of IP.
pub(super) struct Canary {
    pub(super) v4: SocketAddr,
    pub(super) v6: Option<SocketAddr>,
    hits: Arc<AtomicUsize>,
}

impl Canary {
    pub(super) fn start() -> Self {
        let hits = Arc::new(AtomicUsize::new(0));
        let listen = |address: &str| {
            let listener = TcpListener::bind(address).ok()?;
            let (address, hits) = (listener.local_addr().unwrap(), hits.clone());
            thread::spawn(move || {
                listener.incoming().for_each(|_| {
                    hits.fetch_add(1, Ordering::SeqCst);
                });
            });
            Some(address)
        };
        Self { v4: listen("127.0.0.1:0").unwrap(), v6: listen("[::1]:0"), hits }
    }

    pub(super) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}
