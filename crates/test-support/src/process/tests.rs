use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{Folder, Launch, Process, processes, watched};
use crate::wait_until;

/// A program that does what the script says.
fn scripted(script: &str) -> Launch {
    let mut command = watched("sh");
    command.args(["-c", script]);
    Launch { command, ready: "come in" }
}

#[tokio::test]
async fn a_port_that_was_taken_meanwhile_is_given_up_for_another() {
    let tries = AtomicU32::new(0);
    let prepare = |_: &Folder, [_]: [u16; 1]| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => scripted("echo 'bind: Address already in use'; exit 1"),
        1 => scripted("echo '{error,eaddrinuse}'; exit 1"),
        _ => scripted("echo come in; exec sleep 60"),
    };
    let (process, [port]) = Process::start("a script", prepare).await;
    assert_eq!(tries.into_inner(), 3);
    assert_ne!(port, 0);
    drop(process);
}

#[tokio::test]
#[should_panic(expected = "a script does not start:\nno such setting")]
async fn one_that_does_not_start_says_why() {
    Process::start("a script", |_, []: [u16; 0]| scripted("echo no such setting; exit 1")).await;
}

#[tokio::test]
async fn all_of_it_is_killed_and_its_folder_goes_with_it() {
    let script = "sleep 60 & echo come in; wait";
    let (mut process, []) = Process::start("a script", |_, []| scripted(script)).await;
    let folder = process.folder().to_owned();
    // The shell that watches, the one that waits for the script, the script and its helper.
    assert_eq!(processes(&folder).len(), 4);
    process.kill();
    assert_eq!(processes(&folder), Vec::<u32>::new());
    process.restart().await;
    drop(process);
    assert!(!folder.exists());
}

#[tokio::test]
async fn when_the_program_ends_by_itself_its_helpers_do_too() {
    let (process, []) =
        Process::start("a script", |_, []| scripted("sleep 60 & echo come in; sleep 0.1")).await;
    let ended = wait_until(Duration::from_secs(10), async || processes(process.folder()).is_empty()).await;
    assert!(ended);
}
