//! Ports that nobody uses.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Below those that the kernel gives to clients: one of them would take the port of a program that was killed.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// A port that was free a moment ago, and that this process gives to nobody else.
pub(super) fn free_port() -> u16 {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    // Processes begin at places of their own.
    let start = std::process::id().wrapping_mul(61);
    loop {
        let number = start.wrapping_add(NUMBER.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + number % COUNT).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
