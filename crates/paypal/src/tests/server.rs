//! An HTTPS server on loopback in PayPal's place.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rcgen::KeyPair;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::authority::Ca;
use crate::{Certificates, Fetch, Sources};

pub(super) const HOST: &str = "api.sandbox.paypal.com";

pub(super) struct Server {
    pub(super) address: SocketAddr,
    root_pem: String,
    requests: Arc<AtomicUsize>,
}

/// An answer with a body.
pub(super) fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

impl Server {
    /// Serves one answer to everybody who takes it for `name`. `None` accepts a request and never answers.
    pub(super) fn start(name: &str, reply: Option<Vec<u8>>) -> Self {
        let ca = Ca::root("Web root");
        let key = KeyPair::generate().unwrap();
        let chain = CertificateDer::from_pem_slice(ca.leaf(&[name], (2020, 2040), &key).as_bytes()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        let (config, requests) = (Arc::new(config), Arc::new(AtomicUsize::new(0)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let counter = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, counter, reply) = (Arc::clone(&config), Arc::clone(&counter), reply.clone());
                thread::spawn(move || {
                    let connection = ServerConnection::new(config).unwrap();
                    serve(StreamOwned::new(connection, stream.unwrap()), &counter, reply.as_deref());
                });
            }
        });
        Self { address, root_pem: ca.pem(), requests }
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Certificates that come from this server alone.
    pub(super) fn certificates(&self, timeout: Duration) -> Certificates {
        let roots = Some(self.root_pem.clone().into_bytes());
        let fetch = Fetch { timeout, roots, resolve: vec![(HOST.to_owned(), self.address)] };
        Certificates::new(Sources { fetch: Some(fetch), ..Sources::default() }).unwrap()
    }
}

fn serve(
    mut stream: StreamOwned<ServerConnection, std::net::TcpStream>,
    requests: &AtomicUsize,
    reply: Option<&[u8]>,
) {
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(length) => head.extend_from_slice(&buffer[..length]),
        }
    }
    requests.fetch_add(1, Ordering::SeqCst);
    if let Some(reply) = reply {
        // A client that has had enough closes the connection.
        let _ = stream.write_all(reply).and_then(|()| stream.flush());
        stream.conn.send_close_notify();
        let _ = stream.flush();
    } else {
        let _ = stream.read(&mut buffer);
    }
}
