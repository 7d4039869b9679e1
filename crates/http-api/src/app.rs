//! The application: what the routes stand on, the routes, and the server around them.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use access::{ApiKeys, Identity, Rate, TrustedProxies};
use actix_web::dev::Server;
use actix_web::http::KeepAlive;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, HttpServer, web};
use audit::tree::Trees;
use database::Database;
use delivery::sinks::Sinks;
use delivery::{Consumers, Feed};
use domain::{Position, ShopId};
use intake::Intake;
use prometheus_client::registry::Registry;
use reconciliation::Reconciler;
use relay::RelayHandle;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::metrics::Metrics;
use crate::problem::{Code, Problem};
use crate::tls::Tls;
use crate::{
    Counters, batch, body, commands, consumers, coupons, dead_letters, docs, events, feed, health, openapi,
    orders, payments, points, published, request, schemas, settings, sinks, stock, trace, webhooks,
};

/// How much, and how long, a client may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a callback's body.
    pub webhook_body: usize,
    /// Bytes of a command's body.
    pub command_body: usize,
    /// Bytes of a batch's body.
    pub batch_body: usize,
    /// KiB of all bodies together that are read or worked on; beyond it a request is answered 503.
    pub bodies_kib: usize,
    /// Bytes of one line of a batch.
    pub batch_line: usize,
    /// For the head of a request.
    pub head_deadline: Duration,
    /// For the body of a request; of a batch, for each piece that it comes in.
    pub body_deadline: Duration,
    /// For the whole of a batch.
    pub batch_deadline: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// A client that takes nothing of its answer for so long is cut off.
    pub read_stall: Duration,
    /// Connections of one worker; who comes then waits to be let in.
    pub max_connections: usize,
    /// Bytes of the path and the query.
    pub uri: usize,
    /// Bytes of all header fields; beyond 96 fields a request is refused in any case.
    pub headers: usize,
    /// Threads that read and write HTTP.
    pub workers: usize,
    /// Bundles of entries, 15 MB at most each, that are read at a time; who comes next waits.
    pub bundles: usize,
    /// Streams of the feed that are open at a time.
    pub streams: usize,
    /// Of these, for each key.
    pub key_streams: usize,
    /// Requests of one key that wait for something to happen.
    pub key_waits: usize,
    /// Requests of one key.
    pub key_rate: Rate,
    /// Requests from one address that fail to be authentic, or to have a key.
    pub failures: Rate,
    /// Who is believed to say for whom a request is made.
    pub trusted_proxies: TrustedProxies,
    /// A stream whose reader takes nothing for so long is ended.
    pub stream_stall: Duration,
    /// How long open requests may take at the end.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            webhook_body: 256 * 1024,
            command_body: 2 * 1024 * 1024,
            batch_body: 64 * 1024 * 1024,
            bodies_kib: 64 * 1024,
            batch_line: 16 * 1024,
            head_deadline: Duration::from_secs(5),
            body_deadline: Duration::from_secs(10),
            batch_deadline: Duration::from_secs(600),
            keep_alive: Duration::from_secs(75),
            read_stall: Duration::from_secs(30),
            max_connections: 512,
            uri: 8 * 1024,
            headers: 32 * 1024,
            workers: 2,
            bundles: 4,
            streams: 256,
            key_streams: 32,
            key_waits: 256,
            key_rate: Rate::new(1000, 2000),
            failures: Rate::new(10, 300),
            trusted_proxies: TrustedProxies::default(),
            stream_stall: Duration::from_secs(15),
            shutdown: Duration::from_secs(10),
        }
    }
}

/// What goes downstream.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// For readers that ask.
    pub feed: Feed,
    /// Their cursors.
    pub consumers: Consumers,
    /// Where events are sent to.
    pub sinks: Sinks,
}

/// Routes of another face, which stand beside the API's own.
pub type Routes = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

/// What this program was built of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// Its version.
    pub version: &'static str,
    /// The commit, where it is known.
    pub commit: Option<&'static str>,
}

/// What the routes are put together from.
pub struct Parts {
    /// The way into the log.
    pub intake: Intake,
    /// For reading.
    pub database: Database,
    /// Who may ask for what.
    pub keys: ApiKeys,
    /// What goes downstream.
    pub delivery: Delivery,
    /// Tells how far the read models are; `None` where the relay runs in another process.
    pub relay: Option<RelayHandle>,
    /// Asks PayPal about one order at once; `None` where no shop has an account there.
    pub reconciler: Option<Reconciler>,
    /// How much and how long.
    pub limits: Limits,
    /// What runs here.
    pub build: Build,
}

/// What the routes stand on.
pub struct Api {
    /// The way into the log.
    pub intake: Intake,
    /// For reading.
    pub database: Database,
    /// Who may ask for what.
    pub keys: ApiKeys,
    /// What goes downstream.
    pub delivery: Delivery,
    /// What is published of the logs.
    pub trees: Trees,
    /// Tells how far the read models are; `None` where the relay runs in another process.
    pub relay: Option<RelayHandle>,
    /// Asks PayPal about one order at once; `None` where no shop has an account there.
    pub reconciler: Option<Reconciler>,
    /// How much and how long.
    pub limits: Limits,
    /// What happened.
    pub counters: Counters,
    /// The same, as it is told.
    pub(crate) metrics: Metrics,
    /// Who may ask how often.
    pub(crate) admission: Admission,
    /// The memory that bodies may take.
    pub(crate) bodies: Arc<Semaphore>,
    /// One for each bundle of entries that may be read at a time.
    pub(crate) bundles: Arc<Semaphore>,
    /// One for each stream that may be open.
    pub(crate) streams: Arc<Semaphore>,
    /// Whoever waits or streams is sent away when it is cancelled.
    pub(crate) stopping: CancellationToken,
    /// Work runs here and not on the server's threads: a client that goes away must not cancel a commit, and sessions
    /// with the database must outlive the server's threads.
    work: Handle,
}

impl Api {
    /// What the routes stand on. Work runs on the runtime that calls this.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { intake, database, keys, delivery, relay, reconciler, limits, build } = parts;
        let bodies = Arc::new(Semaphore::new(limits.bodies_kib));
        let streams = Arc::new(Semaphore::new(limits.streams));
        let bundles = Arc::new(Semaphore::new(limits.bundles));
        let stopping = CancellationToken::new();
        let counters = Counters::default();
        let mut counted = Registry::default();
        counters.register(&mut counted);
        intake.meters().register(&mut counted);
        intake.log_meters().register(&mut counted);
        database.meters().register(&mut counted);
        // Where another process decides there is nothing to count, but its name.
        let of_relay = relay.as_ref().map(|relay| relay.meters().clone()).unwrap_or_default();
        of_relay.register(&mut counted);
        delivery.sinks.meters().register(&mut counted);
        Arc::new(Self {
            admission: Admission::new(&limits, stopping.clone()),
            intake,
            trees: Trees::new(database.clone()),
            database,
            keys,
            delivery,
            relay,
            reconciler,
            limits,
            counters,
            metrics: Metrics::new(counted, build),
            bodies,
            bundles,
            streams,
            stopping,
            work: Handle::current(),
        })
    }

    /// Says "not ready" from now on, so that load balancers look elsewhere before the end, and sends away whoever waits for
    /// events: they come again elsewhere.
    pub fn drain(&self) {
        self.stopping.cancel();
    }

    /// Who holds the key, if it is valid: what fails is counted against the address that it came from, and what does not
    /// against the key.
    ///
    /// # Errors
    /// 401 without a valid key, 429 where a key or an address asks too often, 503 when keys cannot be looked up.
    pub async fn identify(&self, request: &HttpRequest, key: &str) -> Result<Identity, Problem> {
        request::identify(self, request, key).await
    }

    /// The whole of a body of at most `limit` bytes.
    ///
    /// # Errors
    /// 413 beyond the limit, 408 where it does not come in time, 400 where it breaks off, 503 while there are too many.
    pub async fn body(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
        limit: usize,
    ) -> Result<web::Bytes, Problem> {
        let read = body::read(request, payload, limit, self.limits.body_deadline, &self.bodies).await?;
        Ok(read.into_parts().0)
    }

    /// Whether the client speaks TLS: with this process, or with a proxy that is believed to say so.
    #[must_use]
    pub fn is_secure(&self, request: &HttpRequest) -> bool {
        request.app_config().secure() || self.admission.is_https(request)
    }

    /// Waits until the relay has passed the position; says whether it has.
    ///
    /// # Errors
    /// The checkpoint cannot be read.
    pub async fn applied(&self, shop: &ShopId, position: Position, wait: Duration) -> Result<bool, Problem> {
        commands::applied(self, shop, position, wait).await
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Runs something that nobody waits for.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.work.spawn(work);
    }

    /// Runs a unit of work to its end, whether or not anybody waits for it.
    ///
    /// # Errors
    /// 500: it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Problem> {
        self.work.spawn(work).await.map_err(|e| Problem::internal(&e))
    }
}

/// The API as handlers get it.
pub(crate) type Shared = web::Data<Api>;

/// All routes of the API.
pub fn configure(cfg: &mut web::ServiceConfig) {
    configure_with(cfg, &none());
}

/// No other routes.
fn none() -> Routes {
    Arc::new(|_| {})
}

/// The same, and others.
fn configure_with(cfg: &mut web::ServiceConfig, others: &Routes) {
    let scope = web::scope("")
        .wrap(from_fn(trace::request))
        // Paths are tried in this order: the one that is in a hurry is first.
        .configure(webhooks::routes)
        .configure(health::routes)
        .configure(orders::routes)
        .configure(batch::routes)
        .configure(stock::routes)
        .configure(coupons::routes)
        .configure(points::routes)
        .configure(payments::routes)
        .configure(events::routes)
        .configure(dead_letters::routes)
        .configure(settings::routes)
        .configure(feed::routes)
        .configure(consumers::routes)
        .configure(sinks::routes)
        .configure(published::routes)
        .configure(schemas::routes)
        .configure(openapi::routes)
        .configure(docs::routes)
        .configure(|cfg| others(cfg))
        .default_service(web::to(|| async {
            Err::<actix_web::HttpResponse, _>(Problem::new(Code::NotFound, "No such path."))
        }));
    cfg.service(scope);
}

/// No deadline of the server's ends a client that does not read: it would keep its connection and its answer in memory for
/// ever. The kernel ends it, also where the client goes on to confirm that its window is shut. Connections have it from the
/// socket that they came by.
fn bound_stalls(listener: &TcpListener, limit: Duration) {
    let milliseconds = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
    // Where a system has no such option, its clients are served all the same.
    let _ = rustix::net::sockopt::set_tcp_user_timeout(listener, milliseconds);
}

/// Lets as many connections wait to be accepted as may be open. The 128 of the standard library are fewer than come at once
/// when a load balancer opens its pool: the others would be dropped by the kernel, and try again a second later.
fn let_wait(listener: &TcpListener, connections: usize) -> std::io::Result<()> {
    let backlog = i32::try_from(connections).unwrap_or(i32::MAX);
    Ok(rustix::net::listen(listener, backlog)?)
}

/// The server on a listening socket. It does not listen to signals: the caller stops it by its handle.
///
/// # Errors
/// What the socket says.
pub fn server(api: Arc<Api>, listener: TcpListener) -> std::io::Result<Server> {
    server_with(api, listener, None, none())
}

/// The same, over TLS where a certificate is given, and with other routes beside the API's. HTTP is 1.1: one request at a time on a connection, so that the bounds
/// on connections are bounds on requests.
///
/// # Errors
/// What the socket says, or TLS.
pub fn server_with(
    api: Arc<Api>,
    listener: TcpListener,
    tls: Option<Tls>,
    others: Routes,
) -> std::io::Result<Server> {
    let limits = api.limits.clone();
    if let Some(tls) = &tls {
        api.spawn(tls.clone().watch(api.stopping.clone()));
    }
    bound_stalls(&listener, limits.read_stall);
    let_wait(&listener, limits.max_connections)?;
    let data = web::Data::from(api);
    let app = move || App::new().app_data(data.clone()).configure(|cfg| configure_with(cfg, &others));
    let server = HttpServer::new(app)
        .workers(limits.workers.max(1))
        .client_request_timeout(limits.head_deadline)
        .client_disconnect_timeout(Duration::from_secs(1))
        .keep_alive(KeepAlive::Timeout(limits.keep_alive))
        .max_connections(limits.max_connections)
        .tls_handshake_timeout(limits.head_deadline)
        .shutdown_timeout(limits.shutdown.as_secs())
        .disable_signals();
    let server = match tls {
        Some(tls) => {
            server.listen_rustls_0_23(listener, tls.server_config().map_err(std::io::Error::other)?)?
        }
        None => server.listen(listener)?,
    };
    Ok(server.run())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn connections_that_come_at_once_wait_to_be_accepted() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let_wait(&listener, 300).expect("a backlog");
        listener.set_nonblocking(true).expect("its mode");
        let address = listener.local_addr().expect("its address");
        // A connection beyond the backlog is not made until somebody accepts, and nobody does.
        let come = |_| TcpStream::connect_timeout(&address, std::time::Duration::from_millis(500));
        let clients: Result<Vec<TcpStream>, _> = (0..300).map(come).collect();
        assert_eq!(clients.expect("all connect").len(), 300);
        assert_eq!(std::iter::from_fn(|| listener.accept().ok()).count(), 300);
    }
}
