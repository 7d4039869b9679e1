//! The exchange: it is the operator's, and must be there.

use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Error, ErrorKind, ExchangeKind};

use super::connection::Connection;

/// Sees that the exchange is there, and as far as we may ask, that it is a durable topic exchange; else what is wrong, and
/// the command that mends it.
pub(super) async fn check(connection: &Connection, exchange: &str) -> Result<(), String> {
    let passive = ExchangeDeclareOptions { passive: true, durable: true, ..Default::default() };
    if let Err(error) = declare(connection, exchange, passive).await {
        return Err(if has_code(&error, 404) {
            let command = format!("declare exchange name={exchange} type=topic durable=true");
            format!("there is no exchange {exchange}: {}", admin(connection.vhost(), &command))
        } else {
            format!("cannot ask for the exchange {exchange}: {error}")
        });
    }
    // It is there, so this makes nothing: the broker compares. Who may not ask is told so, and it may be good all the same.
    let same = ExchangeDeclareOptions { durable: true, ..Default::default() };
    match declare(connection, exchange, same).await {
        Err(error) if has_code(&error, 406) && differs(&error.to_string()) => Err(format!(
            "{exchange} is no durable topic exchange: name another, or delete it and make it anew: {}: {error}",
            admin(connection.vhost(), &format!("declare exchange name={exchange} type=topic durable=true"))
        )),
        _ => Ok(()),
    }
}

async fn declare(
    connection: &Connection,
    exchange: &str,
    options: ExchangeDeclareOptions,
) -> lapin::Result<()> {
    let channel = connection.create_channel().await?;
    channel.exchange_declare(exchange.into(), ExchangeKind::Topic, options, FieldTable::default()).await
}

/// Other arguments than these are the operator's affair.
fn differs(said: &str) -> bool {
    said.contains("'type'") || said.contains("'durable'") || said.contains("'internal'")
}

fn has_code(error: &Error, code: u16) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == code)
}

/// A command for the broker's own tool.
pub(super) fn admin(vhost: &str, command: &str) -> String {
    if vhost == "/" {
        format!("rabbitmqadmin {command}")
    } else {
        format!("rabbitmqadmin --vhost='{vhost}' {command}")
    }
}
