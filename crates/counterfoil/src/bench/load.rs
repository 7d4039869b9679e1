//! The load: keep-alive connections that send as fast as they are answered, or at a rate.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::bench::workload::Prepared;

/// A request that takes longer has failed, and with it the measurement.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections of the load at a rate.
const PACED: usize = 64;

/// One answered request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    /// Which, by its place in what was sent.
    pub(crate) index: usize,
    /// When it was to be sent. One that had to wait for its turn counts from here, so that a stall is not hidden.
    pub(crate) due: Instant,
    pub(crate) at: Instant,
}

/// Sends all of it over so many connections, each as soon as it is answered; how long that took.
pub(crate) async fn flood(
    address: SocketAddr,
    requests: &Arc<Vec<Prepared>>,
    connections: usize,
) -> anyhow::Result<Duration> {
    let mut open = try_join_all((0..connections).map(|_| Connection::open(address))).await?;
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let workers: Vec<_> = open
        .drain(..)
        .map(|mut connection| {
            let (requests, next) = (Arc::clone(requests), Arc::clone(&next));
            tokio::spawn(async move {
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    connection.send(request).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for worker in workers {
        worker.await??;
    }
    Ok(started.elapsed())
}

/// Sends so many a second, whether or not they are answered in time.
pub(crate) async fn pace(
    address: SocketAddr,
    requests: &Arc<Vec<Prepared>>,
    per_second: f64,
) -> anyhow::Result<Vec<Answered>> {
    let open = try_join_all((0..PACED).map(|_| Connection::open(address))).await?;
    let started = Instant::now() + Duration::from_millis(50);
    let workers: Vec<_> = open
        .into_iter()
        .enumerate()
        .map(|(first, mut connection)| {
            let requests = Arc::clone(requests);
            tokio::spawn(async move {
                let mut answered = Vec::with_capacity(requests.len() / PACED + 1);
                for index in (first..requests.len()).step_by(PACED) {
                    let due = started + Duration::from_secs_f64(index as f64 / per_second);
                    sleep_until(due).await;
                    connection.send(&requests[index]).await?;
                    answered.push(Answered { index, due, at: Instant::now() });
                }
                anyhow::Ok(answered)
            })
        })
        .collect();
    let mut all = Vec::with_capacity(requests.len());
    for worker in workers {
        all.extend(worker.await??);
    }
    Ok(all)
}

/// Sends what is refused over so many connections from one address, each as soon as it is answered, until it is stopped:
/// tasks that end with how many were answered. When this returns, all are connected.
pub(crate) async fn harass(
    address: SocketAddr,
    from: IpAddr,
    garbage: Arc<Vec<Prepared>>,
    connections: usize,
    stop: CancellationToken,
) -> anyhow::Result<Vec<JoinHandle<anyhow::Result<u64>>>> {
    let open = try_join_all((0..connections).map(|_| Connection::open_from(address, from))).await?;
    let tasks = open.into_iter().enumerate().map(|(first, mut connection)| {
        let (garbage, stop) = (Arc::clone(&garbage), stop.clone());
        tokio::spawn(async move {
            let mut answered = 0;
            for request in garbage.iter().cycle().skip(first % garbage.len()) {
                let reply = tokio::select! {
                    reply = connection.ask(request) => reply,
                    () = stop.cancelled() => break,
                };
                match reply {
                    Ok(Reply { status, .. }) => {
                        anyhow::ensure!(status >= 400, "garbage was answered {status}");
                        answered += 1;
                    }
                    // Closed, as it may be.
                    Err(_) => connection = Connection::open_from(address, from).await?,
                }
            }
            Ok(answered)
        })
    });
    Ok(tasks.collect())
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
}

/// A keep-alive connection that writes requests as they were prepared: the load shares the processors with what it
/// measures, and an HTTP client's own work would be counted with it.
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        Self::of(TcpStream::connect(address).await.context("the service cannot be reached")?)
    }

    async fn open_from(address: SocketAddr, from: IpAddr) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        Self::of(socket.connect(address).await.context("the service cannot be reached")?)
    }

    fn of(stream: TcpStream) -> anyhow::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(4096) })
    }

    async fn send(&mut self, request: &Prepared) -> anyhow::Result<()> {
        let Reply { status, .. } = self.ask(request).await?;
        anyhow::ensure!((200..300).contains(&status), "{}", self.answer());
        Ok(())
    }

    /// The last answer, word for word.
    pub(crate) fn answer(&self) -> String {
        String::from_utf8_lossy(&self.answer).into_owned()
    }

    /// Sends it, and reads all of the answer.
    pub(crate) async fn ask(&mut self, request: &Prepared) -> anyhow::Result<Reply> {
        let sent = async {
            self.stream.write_all(request.bytes()).await?;
            self.answer.clear();
            loop {
                anyhow::ensure!(
                    self.stream.read_buf(&mut self.answer).await? > 0,
                    "the connection was closed"
                );
                if let Some((reply, length)) = read_head(&self.answer)?
                    && self.answer.len() >= length
                {
                    return Ok(reply);
                }
            }
        };
        timeout(PATIENCE, sent).await.context("no answer in time")?
    }
}

/// What an answer says, and how long it is with its body; `None` until its head is whole.
fn read_head(answer: &[u8]) -> anyhow::Result<Option<(Reply, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(answer)? else { return Ok(None) };
    let number = |name: &str| {
        let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header
            .map(|header| anyhow::Ok(std::str::from_utf8(header.value)?.trim().parse::<usize>()?))
            .transpose()
    };
    let status = head.code.context("no status")?;
    let retry_after = number("retry-after")?.map(|seconds| Duration::from_secs(seconds as u64));
    let body = match number("content-length")? {
        Some(length) => length,
        None if status == 204 => 0,
        None => anyhow::bail!("an answer without a length"),
    };
    Ok(Some((Reply { status, retry_after }, length + body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nRetry-After: 2\r\n\r\nbusy";
        let reply = |status, retry_after| Reply { status, retry_after };
        let busy = reply(503, Some(Duration::from_secs(2)));
        assert_eq!(read_head(answer).unwrap(), Some((busy, answer.len())));
        assert_eq!(read_head(&answer[..answer.len() - 6]).unwrap(), None);
        assert_eq!(read_head(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), Some((reply(204, None), 27)));
        assert!(read_head(b"nonsense").is_err());
        assert!(read_head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
