//! Stands between the service and PostgreSQL, and understands enough of what they say to break it at a chosen moment:
//! before a statement, behind a COMMIT that the server has been sent or has done and nobody was told of.
//!
//! It can also be slow, or say nothing at all: what is sent is taken, and nothing comes of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::wire::{ASKS_FOR_TLS, Frames, Said, understand};

/// When to break a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// This statement has come, and the server is not told.
    Before(&'static str),
    /// The COMMIT of the transaction that ran this statement goes to the server, and nothing else goes either way.
    CommitSent(&'static str),
    /// The server has done that COMMIT, and says so to nobody.
    Committed(&'static str),
}

impl Moment {
    fn is_before(self, said: &Said) -> bool {
        match self {
            Self::Before("COMMIT") => said.ends_transaction(),
            Self::Before(statement) => said.runs(statement),
            Self::CommitSent(_) | Self::Committed(_) => false,
        }
    }

    fn is_behind(self, said: &Said, ran: &[String]) -> bool {
        match self {
            Self::Before(_) => false,
            Self::CommitSent(statement) | Self::Committed(statement) => {
                said.ends_transaction() && ran.iter().any(|name| name == statement)
            }
        }
    }
}

/// What becomes of the session then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Both sides see it reset.
    Cut,
    /// Both sides see nothing any more, until one of them ends.
    Silence,
}

/// Listens on a port of the loopback for as long as it is there.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

struct Shared {
    upstream: PathBuf,
    /// The next session that comes to the moment is broken, and no other.
    armed: Mutex<Option<(Moment, Then)>>,
    broken: watch::Sender<usize>,
    delay: watch::Sender<Duration>,
    is_hole: watch::Sender<bool>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Proxy {
    /// In front of the server that listens in this directory.
    pub(crate) async fn start(socket_dir: &std::path::Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream: socket_dir.join(".s.PGSQL.5432"),
            armed: Mutex::default(),
            broken: watch::Sender::new(0),
            delay: watch::Sender::new(Duration::ZERO),
            is_hole: watch::Sender::new(false),
        });
        let listening = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let shared = Arc::clone(&shared);
                    tokio::spawn(async move { Session::run(shared, client).await });
                }
            }
        });
        Self { address, shared, listening }
    }

    /// Breaks the next session that comes to this moment.
    pub(crate) fn arm(&self, moment: Moment, then: Then) {
        *self.shared.armed.lock().unwrap() = Some((moment, then));
    }

    /// How many sessions were broken so far.
    pub(crate) fn broken(&self) -> usize {
        *self.shared.broken.borrow()
    }

    /// Each piece of what is said, in either direction, takes so much longer.
    pub(crate) fn delay(&self, by: Duration) {
        self.shared.delay.send_replace(by);
    }

    /// Nothing comes through any more, and nobody is told; or everything does again.
    pub(crate) fn swallow(&self, everything: bool) {
        self.shared.is_hole.send_replace(everything);
    }
}

struct Session {
    shared: Arc<Shared>,
    client: TcpStream,
    server: UnixStream,
    /// The text of each prepared statement.
    prepared: HashMap<String, String>,
    /// The names of the statements since the last BEGIN.
    ran: Vec<String>,
    /// The server is waited for, and its answers are for nobody.
    is_waiting: Option<Then>,
}

/// How a session ends.
enum End {
    Gone,
    Broken(Then),
}

impl Session {
    async fn run(shared: Arc<Shared>, client: TcpStream) {
        let Ok(server) = UnixStream::connect(&shared.upstream).await else { return reset(&client) };
        client.set_nodelay(true).unwrap();
        let mut session =
            Self { shared, client, server, prepared: HashMap::new(), ran: Vec::new(), is_waiting: None };
        match session.relay().await {
            Ok(()) | Err(End::Gone) => {}
            Err(End::Broken(then)) => {
                session.shared.broken.send_modify(|broken| *broken += 1);
                match then {
                    Then::Cut => reset(&session.client),
                    Then::Silence => session.wait_for_an_end().await,
                }
            }
        }
    }

    async fn relay(&mut self) -> Result<(), End> {
        let (mut asked, mut answered) = (Frames::of_client(), Frames::of_server());
        loop {
            let mut hole = self.shared.is_hole.subscribe();
            hole.wait_for(|is_hole| !is_hole).await.map_err(|_| End::Gone)?;
            tokio::select! {
                read = self.client.read_buf(asked.buffer()) => {
                    ended(read)?;
                    self.pause().await;
                    while let Some(frame) = asked.next() {
                        self.ask(&frame).await?;
                    }
                }
                read = self.server.read_buf(answered.buffer()) => {
                    ended(read)?;
                    self.pause().await;
                    while let Some(frame) = answered.next() {
                        self.answer(&frame).await?;
                    }
                }
            }
        }
    }

    /// The hole may have opened while somebody waited to read.
    async fn pause(&self) {
        let delay = *self.shared.delay.borrow();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut hole = self.shared.is_hole.subscribe();
        let _ = hole.wait_for(|is_hole| !is_hole).await;
    }

    async fn ask(&mut self, frame: &[u8]) -> Result<(), End> {
        if frame == ASKS_FOR_TLS {
            return self.client.write_all(b"N").await.map_err(|_| End::Gone);
        }
        let said = understand(frame, &mut self.prepared);
        if said.begins_transaction() {
            self.ran.clear();
        }
        if let Some((_, then)) = self.take(|moment| moment.is_before(&said)) {
            return Err(End::Broken(then));
        }
        if let Said::Runs(name) = &said {
            self.ran.push(name.clone());
        }
        self.server.write_all(frame).await.map_err(|_| End::Gone)?;
        match self.take(|moment| moment.is_behind(&said, &self.ran)) {
            Some((Moment::Committed(_), then)) => self.is_waiting = Some(then),
            Some((_, then)) => return Err(End::Broken(then)),
            None => {}
        }
        Ok(())
    }

    async fn answer(&mut self, frame: &[u8]) -> Result<(), End> {
        if let Some(then) = self.is_waiting {
            // CommandComplete
            let is_done = frame.starts_with(b"C") && frame[5..].starts_with(b"COMMIT");
            return if is_done { Err(End::Broken(then)) } else { Ok(()) };
        }
        self.client.write_all(frame).await.map_err(|_| End::Gone)
    }

    /// What was armed, if this is its moment.
    fn take(&self, is_it: impl Fn(Moment) -> bool) -> Option<(Moment, Then)> {
        let mut armed = self.shared.armed.lock().unwrap();
        armed.take_if(|(moment, _)| is_it(*moment))
    }

    /// Neither side is told that the other has gone.
    async fn wait_for_an_end(&mut self) {
        let mut nothing = [0; 1024];
        loop {
            let read = self.client.read(&mut nothing).await;
            if ended(read).is_err() {
                return;
            }
        }
    }
}

fn ended(read: std::io::Result<usize>) -> Result<(), End> {
    match read {
        Ok(0) | Err(_) => Err(End::Gone),
        Ok(_) => Ok(()),
    }
}

/// Closed with a reset instead of a goodbye.
fn reset(client: &TcpStream) {
    let _ = client.set_zero_linger();
}
