//! What a session that listens is told.

use futures_util::StreamExt;
use futures_util::stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Connection};

/// Notifications only wake somebody who then looks for himself, so that beyond these more say nothing new.
const QUEUE: usize = 1024;

/// One NOTIFY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// On which channel.
    pub channel: String,
    /// What it says.
    pub payload: String,
}

/// The notifications of one session.
#[derive(Debug)]
pub struct Notifications(mpsc::Receiver<Notification>);

impl Notifications {
    /// The next one; none when the session has ended.
    pub async fn recv(&mut self) -> Option<Notification> {
        self.0.recv().await
    }

    /// Runs the connection in a task, which ends with the session.
    pub(crate) fn drive<S, T>(mut connection: Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(told) = message {
                    let notification = Notification {
                        channel: told.channel().to_owned(),
                        payload: told.payload().to_owned(),
                    };
                    let _ = sender.try_send(notification);
                }
            }
        });
        Self(receiver)
    }
}
