//! The connection, which ends when it is dropped, whatever the broker does.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpStream};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::ConnectionProperties;
use lapin::runtime::default_runtime;
use lapin::tcp::{AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::sinks::publisher::Context;
use crate::sinks::settings::{RabbitmqTarget, Secrets};

/// Twice this without a sign of life is the end of a connection.
const HEARTBEAT_S: u16 = 5;
/// A broker that takes longer to let us in is none.
const CONNECTING: Duration = Duration::from_secs(5);

pub(super) struct Connection {
    inner: lapin::Connection,
    vhost: String,
    socket: Socket,
}

/// The socket, where there is one.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<Option<TcpStream>>>);

impl Socket {
    fn keep(&self, stream: TcpStream) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
    }

    fn shut(&self) {
        if let Some(stream) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // One that is closed already is what is wanted.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Deref for Connection {
    type Target = lapin::Connection;

    fn deref(&self) -> &lapin::Connection {
        &self.inner
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // While the broker blocks it nothing is written, the farewell neither: it would wait for ever, with its thread.
        if self.inner.status().blocked() {
            self.socket.shut();
        }
    }
}

impl Connection {
    pub(super) fn vhost(&self) -> &str {
        &self.vhost
    }

    /// What it means that nothing was confirmed for so long.
    pub(super) fn silence(&self, time: Duration) -> String {
        if self.inner.status().blocked() {
            "the broker blocks publishers: it has a memory or disk alarm (rabbitmqctl status)".to_owned()
        } else {
            format!("the broker did not confirm within {} s", time.as_secs())
        }
    }
}

pub(super) async fn open(
    target: &RabbitmqTarget,
    secrets: &Secrets,
    context: &Context,
) -> Result<Connection, String> {
    let uri = uri(target, secrets)?;
    let (host, port, vhost) = (uri.authority.host.clone(), uri.authority.port, uri.vhost.clone());
    let properties = ConnectionProperties::default()
        .with_connection_name(format!("counterfoil {} {}", context.shop, context.sink).into());
    let runtime = default_runtime().map_err(|error| error.to_string())?;
    let socket = Socket::default();
    let (opening, kept, reactor) = (Opening(socket.clone()), socket.clone(), runtime.clone());
    let connect = async move |uri: AMQPUri, _| -> lapin::Result<_> {
        let AMQPUri { authority, scheme, .. } = uri;
        let addresses = lookup_host((authority.host.as_str(), authority.port)).await?.collect::<Vec<_>>();
        let stream = AsyncTcpStream::connect(&reactor, addresses).await?;
        if let AsyncTcpStream::Plain(stream) = &stream {
            kept.keep(stream.get_ref().as_fd().try_clone_to_owned()?.into());
        }
        Ok(match scheme {
            AMQPScheme::AMQP => stream,
            AMQPScheme::AMQPS => stream.into_tls(&authority.host, OwnedTLSConfig::default().as_ref()).await?,
        })
    };
    let connected = timeout(CONNECTING, lapin::Connection::connector(uri, runtime, connect, properties));
    let connected = connected.await.unwrap_or_else(|_| Err(io::Error::from(ErrorKind::TimedOut).into()));
    let inner =
        connected.map_err(|error| format!("cannot connect to {host}:{port}: {error}{}", hint(&error)))?;
    opening.done();
    Ok(Connection { inner, vhost, socket })
}

/// Shuts the socket of a connection that does not come about: its thread would wait with it.
struct Opening(Socket);

impl Opening {
    fn done(mut self) {
        self.0 = Socket::default();
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.shut();
    }
}

fn hint(error: &lapin::Error) -> &'static str {
    let said = error.to_string();
    if said.contains("ACCESS_REFUSED") {
        ": see the user in `url`, and the secret `password`"
    } else if said.contains("certificate") {
        ": the certificate must be for this host, and of an authority that the system trusts"
    } else {
        ""
    }
}

fn uri(target: &RabbitmqTarget, secrets: &Secrets) -> Result<AMQPUri, String> {
    let authority = target.url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains(':') {
        return Err("url: a password does not belong into it: it is the secret `password`".to_owned());
    }
    let mut uri: AMQPUri =
        target.url.parse().map_err(|error| format!("url: amqp://user@host:5672/vhost, or amqps: {error}"))?;
    match secrets.get("password") {
        Some(password) => uri.authority.userinfo.password = password.to_owned(),
        None if user.is_empty() => {}
        None => return Err("a user in `url` needs the secret `password`".to_owned()),
    }
    // lapin takes an address of IPv6 for none, and the local host in its stead.
    if let Some((address, _)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        uri.authority.host = address.to_owned();
    }
    uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str, secrets: &str) -> Result<AMQPUri, String> {
        let target = RabbitmqTarget { url: url.to_owned(), exchange: "outbox".to_owned() };
        uri(&target, &Secrets::parse(secrets.as_bytes()).unwrap())
    }

    #[test]
    fn the_password_comes_from_the_secrets_and_nowhere_else() {
        let uri = of("amqp://shop@example.com/%2f", r#"{"password": "p@ss/word"}"#).unwrap();
        assert_eq!((uri.authority.userinfo.username.as_str(), uri.vhost.as_str()), ("shop", "/"));
        assert_eq!(uri.authority.userinfo.password, "p@ss/word");
        assert_eq!(uri.query.heartbeat, Some(HEARTBEAT_S));
        let said = of("amqp://shop:hunter2@example.com", "{}").unwrap_err();
        assert!(said.contains("`password`") && !said.contains("hunter2"), "{said}");
        assert!(of("amqp://shop@example.com", "{}").unwrap_err().contains("`password`"));
        assert!(of("http://example.com", "{}").unwrap_err().starts_with("url: "));
    }

    #[test]
    fn an_address_of_ipv6_is_what_it_says() {
        assert_eq!(of("amqp://[2001:db8::1]:5673/shop", "{}").unwrap().authority.host, "2001:db8::1");
        assert_eq!(of("amqps://192.0.2.1", "{}").unwrap().authority.host, "192.0.2.1");
    }
}
