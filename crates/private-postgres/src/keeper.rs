//! The thread that keeps a server: it spawns it, waits for its orders, and sees it end.
//!
//! The kernel sends the death signal when the spawning thread ends, not the process. A server that was spawned from a
//! worker of some runtime would die with that worker, so each has a thread of its own.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::privileges::Privileges;

/// How long a server may take to shut down before it is made to.
const STOP_DEADLINE: Duration = Duration::from_secs(20);
/// How often something is looked at again while waiting for it.
pub(crate) const POLL_STEP: Duration = Duration::from_millis(5);

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) log: PathBuf,
    pub(crate) privileges: Privileges,
}

enum Order {
    Stop(Signal, mpsc::Sender<()>),
    Start(mpsc::Sender<io::Result<u32>>),
    HasEnded(mpsc::Sender<bool>),
}

/// Stops the server when dropped.
#[derive(Debug)]
pub(crate) struct Keeper {
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the server; its process id.
    pub(crate) fn start(launch: Launch) -> io::Result<(Self, u32)> {
        let (orders, receiver) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("private-postgres".to_owned())
            .spawn(move || keep(&launch, &receiver))?;
        let keeper = Self { orders: Some(orders), thread: Some(thread) };
        let pid = keeper.start_again()?;
        Ok((keeper, pid))
    }

    /// Starts it again after [`Keeper::stop`].
    pub(crate) fn start_again(&self) -> io::Result<u32> {
        self.ask(Order::Start).unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// Sends the signal and waits for the end.
    pub(crate) fn stop(&self, signal: Signal) {
        self.ask(|reply| Order::Stop(signal, reply));
    }

    /// Whether the server ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.ask(Order::HasEnded).unwrap_or(true)
    }

    fn ask<T>(&self, order: impl FnOnce(mpsc::Sender<T>) -> Order) -> Option<T> {
        let (reply, answer) = mpsc::channel();
        self.orders.as_ref()?.send(order(reply)).ok()?;
        answer.recv().ok()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Nobody can give orders any more: the thread stops the server and ends.
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn keep(launch: &Launch, orders: &mpsc::Receiver<Order>) {
    let mut server: Option<Child> = None;
    while let Ok(order) = orders.recv() {
        match order {
            Order::Start(reply) => {
                let spawned = spawn(launch);
                let _ = reply.send(spawned.map(|child| server.insert(child).id()));
            }
            Order::Stop(signal, reply) => {
                end(server.take(), signal);
                let _ = reply.send(());
            }
            Order::HasEnded(reply) => {
                let ended = server.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
                let _ = reply.send(ended);
            }
        }
    }
    end(server.take(), Signal::INT);
}

fn spawn(launch: &Launch) -> io::Result<Child> {
    let log = File::options().create(true).append(true).open(&launch.log)?;
    launch.privileges.give(&launch.log)?;
    let mut command = Command::new(&launch.program);
    command.args(&launch.arguments).current_dir("/").env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // INT is a fast shutdown: sessions are cut, the data is left clean.
    launch.privileges.apply(&mut command, Some(Signal::INT));
    command.spawn()
}

/// Ends the server with the signal; when that takes too long, at once, which its next start repairs.
fn end(server: Option<Child>, signal: Signal) {
    let Some(mut child) = server else { return };
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    send(&child, signal);
    let mut deadline = Instant::now() + STOP_DEADLINE;
    let mut harder = [Signal::QUIT, Signal::KILL].into_iter();
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            let Some(signal) = harder.next() else { return };
            send(&child, signal);
            deadline = Instant::now() + Duration::from_secs(5);
        }
        std::thread::sleep(POLL_STEP);
    }
}

fn send(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}
