//! Many who are slow at the same time (F38): all are cut off in the end, and nobody else waits for them.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http_api::Limits;

use crate::led_shop::DEADLINE;
use crate::served::{SHOP, Served};

const SLOW: usize = 60;
const STARTS: [&str; 4] = [
    "P",
    "POST /webhooks/paypal/demo HTTP/1.1\r\nhost: x\r\nx-slow: ",
    "POST /webhooks/paypal/demo HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n",
    "POST /webhooks/paypal/demo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffff\r\n",
];

/// Goes on with a byte now and then; says whether it was cut off.
fn go_on_slowly(address: SocketAddr, start: &'static str) -> JoinHandle<bool> {
    thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let mut sent = stream.write_all(start.as_bytes());
        let began = Instant::now();
        while sent.is_ok() && began.elapsed() < DEADLINE {
            // The fault: it would go on for ever.
            thread::sleep(Duration::from_millis(50));
            sent = stream.write_all(b"a");
        }
        sent.is_err()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_slow_senders_keep_nobody_waiting_and_are_all_cut_off() {
    let limits = Limits {
        head_deadline: Duration::from_secs(3),
        body_deadline: Duration::from_secs(3),
        ..Limits::default()
    };
    let served = Served::start(limits).await;
    let before = served.events().await;
    let slow: Vec<_> = (0..SLOW).map(|n| go_on_slowly(served.address, STARTS[n % STARTS.len()])).collect();
    let mut taken = 0;
    while slow.iter().any(|sender| !sender.is_finished()) {
        let health = served.client.get(served.url("/livez")).send().await.unwrap();
        assert!(health.status().is_success());
        let body = served.captured(&format!("meanwhile-{taken}"), "10.00");
        assert_eq!(served.callback(SHOP, &served.sign(&body), body).await.status(), 200);
        taken += 1;
    }
    assert!(taken > 0, "others were served meanwhile");
    assert!(slow.into_iter().all(|sender| sender.join().unwrap()), "somebody was not cut off");
    assert_eq!(served.facts_after(before).await.len(), taken, "and nothing of theirs was taken");
    served.stop().await;
}
