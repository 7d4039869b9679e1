//! A PayPal on loopback.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use domain::Timestamp;
use paypal::{Certificates, Sources, TrustAnchors, Unavailable};
use secrecy::SecretString;
use tokio::sync::Notify;

use crate::books::Books;
use crate::{
    Authority, AuthorityError, Client, Delivered, Delivery, Event, EventKind, Faults, Ids, NotTaken, Story,
    Webhook, rest,
};

/// Why there is no PayPal.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot listen on loopback.
    #[error("cannot listen on 127.0.0.1")]
    Listen(#[from] io::Error),
    /// The authority's root cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The authority's certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] Unavailable),
    /// There is no client to deliver with.
    #[error("cannot make an HTTP client")]
    Client(#[from] reqwest::Error),
}

type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the endpoints and deliveries share.
pub(crate) struct Site {
    pub(crate) authority: Arc<Authority>,
    pub(crate) anchors: Arc<TrustAnchors>,
    pub(crate) certificates: Certificates,
    pub(crate) faults: Faults,
    pub(crate) url: String,
    /// Delivers.
    pub(crate) client: reqwest::Client,
    books: Mutex<Books>,
    /// Something was queued for delivery.
    queued: Notify,
    ids: Mutex<Ids>,
    now: Now,
}

impl Site {
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ids(&self) -> MutexGuard<'_, Ids> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something was queued for delivery after this number.
    pub(crate) async fn more_waits(&self, number: u64) {
        loop {
            let queued = self.queued.notified();
            if self.books().has_pending_after(number) {
                return;
            }
            queued.await;
        }
    }

    /// Takes an event.
    fn happened(&self, body: Vec<u8>) -> Result<Event, NotTaken> {
        let event = self.books().happened(body);
        self.queued.notify_waiters();
        event
    }

    /// Has an event sent again.
    pub(crate) fn resend(&self, event: &Event, webhook_ids: Option<Vec<String>>) {
        let due = self.now();
        self.books().resend(event, webhook_ids, due);
        self.queued.notify_waiters();
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }
}

/// A PayPal that listens on loopback until it is dropped: what happened at it, its REST API, and its deliveries.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use domain::{Money, Timestamp};
/// # use paypal_simulator::*;
/// # async fn example(at: Timestamp, url: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let paypal = PayPal::start(Authority::in_memory()?, 7, move || at)?;
/// paypal.subscribe(Webhook::new("8PT597110X687430L", url))?;
/// let story = Story::new(&mut Ids::seeded(1), "S-1042", Money::parse("48.50", "EUR")?, at);
/// paypal.happened(&story, EventKind::CaptureCompleted)?;
/// let delivered = paypal.deliver(&Delivery { loses: 10, ..Delivery::seeded(7) }).await;
/// # Ok(()) }
/// ```
pub struct PayPal {
    site: Arc<Site>,
    server: ServerHandle,
    client: Client,
}

impl PayPal {
    /// Listens on a free port of loopback. The same seed gives the same ids; `now` is the time at PayPal, by which tokens
    /// end and events become too old. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] says what is missing.
    pub fn start(
        authority: impl Into<Arc<Authority>>,
        seed: u64,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let authority = authority.into();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let leaf = authority.leaf_pem().as_bytes().to_vec();
        let given = HashMap::from([(authority.certificate_id().to_owned(), leaf)]);
        let mut ids = Ids::seeded(seed);
        let client = Client {
            id: format!("A{}{}", ids.payment(), ids.payment()),
            secret: SecretString::from(format!("E{}{}", ids.payment(), ids.payment())),
        };
        let site = Arc::new(Site {
            anchors: Arc::new(authority.anchors()?),
            certificates: Certificates::new(Sources { given, ..Sources::default() })?,
            faults: Faults::default(),
            url: format!("http://{}", listener.local_addr()?),
            client: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
            books: Mutex::default(),
            queued: Notify::new(),
            ids: Mutex::new(ids),
            now: Arc::new(now),
            authority,
        });
        let data = web::Data::from(Arc::clone(&site));
        let server = HttpServer::new(move || App::new().app_data(data.clone()).configure(rest::routes))
            .workers(1)
            .disable_signals()
            .listen(listener)?
            .run();
        let handle = server.handle();
        tokio::spawn(server);
        let paypal = Self { site, server: handle, client };
        // The first of them always has room.
        let _ = paypal.add_client(paypal.client.clone());
        Ok(paypal)
    }

    /// `http://127.0.0.1:<port>`: what stands in the place of `https://api-m.paypal.com`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.site.url
    }

    /// Credentials that it knows.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Takes other credentials too.
    ///
    /// # Errors
    /// [`NotTaken::Full`] beyond a hundred.
    pub fn add_client(&self, client: Client) -> Result<(), NotTaken> {
        self.site.books().add_client(client)
    }

    /// Takes a webhook, in the place of one with the same id. What happens from then on is sent to it.
    ///
    /// # Errors
    /// [`NotTaken::Full`] beyond ten, as at PayPal.
    pub fn subscribe(&self, webhook: Webhook) -> Result<(), NotTaken> {
        self.site.books().subscribe(webhook)
    }

    /// Removes a webhook; what is on its way to it is not sent.
    pub fn unsubscribe(&self, webhook_id: &str) {
        self.site.books().unsubscribe(webhook_id);
    }

    /// A part of a story happens: its event is listed, its capture or order can be asked for, and it waits to be delivered.
    ///
    /// # Errors
    /// [`NotTaken::Full`].
    pub fn happened(&self, story: &Story, kind: EventKind) -> Result<Event, NotTaken> {
        let id = self.site.ids().event();
        let body = serde_json::to_vec(&story.body(kind, &id)).map_err(|_| NotTaken::NoEvent)?;
        self.happened_as(body)
    }

    /// The same with a body of one's own, whose bytes are listed and sent as they are. The same event again changes nothing.
    ///
    /// # Errors
    /// [`NotTaken`] says why it is no event, or none that can be taken.
    pub fn happened_as(&self, body: Vec<u8>) -> Result<Event, NotTaken> {
        self.site.happened(body)
    }

    /// A part of a story happens of which no event is ever told: only its capture or order can be asked for.
    ///
    /// # Errors
    /// [`NotTaken::Full`].
    pub fn happened_silently(&self, story: &Story, kind: EventKind) -> Result<(), NotTaken> {
        self.site.books().learn(&story.body(kind, "WH-NONE"))
    }

    /// What goes wrong, and how often it was asked.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.site.faults
    }

    /// Ends every token that was given out, before its time.
    pub fn end_tokens(&self) {
        self.site.books().end_tokens();
    }

    /// Delivers what waits, and what happens meanwhile, until each of it was taken, lost or given up. See [`Delivery`]. Dropped
    /// before, it leaves the rest waiting.
    pub async fn deliver(&self, delivery: &Delivery) -> Delivered {
        delivery.run(&self.site).await
    }

    /// How many deliveries wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.site.books().waiting()
    }

    /// Waits until a delivery waits: a PayPal that delivers as it comes is a loop of this and [`PayPal::deliver`].
    pub async fn something_waits(&self) {
        self.site.more_waits(0).await;
    }
}

impl Drop for PayPal {
    fn drop(&mut self) {
        // It is told at once; nobody waits for the end.
        drop(self.server.stop(false));
    }
}
