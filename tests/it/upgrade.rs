//! An upgrade without a pause: the previous commit's `serve` and this one's side by side, over the new schema.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use test_support::{TestDatabase, wait_until};

use crate::binary;
use crate::ground::Ground;
use crate::load::Load;
use crate::moves::{Moves, TAKE_OVER};
use crate::program::free_addresses;

const ANSWERS_BETWEEN_HANDOVERS: usize = 60;

/// Each leads, and each hands over to the other; `COUNTERFOIL_PREVIOUS` names another commit than the last one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds the previous commit too: make test-all"]
async fn the_previous_commit_and_this_one_serve_side_by_side() {
    let Some(previous) = tokio::task::spawn_blocking(previous).await.unwrap() else {
        println!("skipped: there is no previous commit here (git fetch --deepen=1)");
        return;
    };
    let ground = Ground::prepare(TestDatabase::create().await).await;
    let moves = Moves::record(&ground.test).await;
    let addresses = free_addresses(2);
    let old = async |name: &str| ground.serve_with(&previous, name, addresses[0]).await;
    let new = async |name: &str| ground.serve_with(binary::path(), name, addresses[1]).await;

    let first = old("old1").await;
    ground.stock(addresses[0]).await;
    let load = Load::start(&ground, &addresses);
    leads(&moves, "old1").await;
    let second = new("new1").await;
    load.gets_through(ANSWERS_BETWEEN_HANDOVERS).await;

    assert_eq!(first.terminate().await, Some(0), "the old one ends in order");
    leads(&moves, "new1").await;
    load.gets_through(ANSWERS_BETWEEN_HANDOVERS).await;

    let third = old("old2").await;
    assert_eq!(second.terminate().await, Some(0), "the new one ends in order");
    leads(&moves, "old2").await;
    load.gets_through(ANSWERS_BETWEEN_HANDOVERS).await;

    let fourth = new("new2").await;
    assert_eq!(third.terminate().await, Some(0), "the old one ends in order");
    leads(&moves, "new2").await;
    load.gets_through(ANSWERS_BETWEEN_HANDOVERS).await;

    let ledger = load.end().await;
    ground.assert_sound(&ledger).await;
    assert_eq!(fourth.terminate().await, Some(0), "the new one ends in order");
    moves.assert_one_writer().await;
}

/// Waits until this instance decides.
async fn leads(moves: &Moves, instance: &str) {
    let since = Instant::now();
    let leads = wait_until(Duration::from_secs(30), async || {
        moves.led().await.is_some_and(|led| led.instance == instance && led.position >= 0)
    });
    assert!(leads.await, "{instance} does not lead");
    assert!(since.elapsed() < TAKE_OVER, "{instance} leads only after {:?}", since.elapsed());
}

/// The previous commit's binary, built in the profile of this one; none where there is no such commit.
fn previous() -> Option<PathBuf> {
    let asked = std::env::var_os("COUNTERFOIL_PREVIOUS").unwrap_or_else(|| "HEAD~1".into());
    let commit = Command::new("git")
        .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
        .arg(asked)
        .current_dir(binary::root())
        .output();
    let commit = commit.ok().filter(|output| output.status.success())?.stdout;
    let commit = String::from_utf8(commit).unwrap().trim().to_owned();
    // A build directory of its own: packages are told apart by their place in the workspace, so in ours cargo would take
    // the one commit's for the other's.
    let place = binary::profile_dir().parent().unwrap().join("previous");
    let (sources, build) = (place.join("sources"), place.join("build"));
    lend_dependencies(&build);
    check_out(&commit, &sources, &place.join("commit"));
    Some(binary::build(&sources, &build, &[]))
}

/// Gives a new build directory what is built here already, so that dependencies are not built twice. Of the project's
/// own crates nothing is used: their sources are unpacked later than these were built, so that they are built anew.
pub(crate) fn lend_dependencies(build: &Path) {
    let ours = binary::profile_dir();
    let theirs = build.join(ours.file_name().unwrap());
    if theirs.exists() {
        return;
    }
    std::fs::create_dir_all(theirs.join("deps")).unwrap();
    let copied = Command::new("cp")
        .arg("-a")
        .args([ours.join("build"), ours.join(".fingerprint")])
        .arg(&theirs)
        .status();
    assert!(copied.unwrap().success(), "what cargo knows of the build cannot be copied");
    for file in std::fs::read_dir(ours.join("deps")).unwrap() {
        let file = file.unwrap().path();
        // Libraries are replaced, never written into, so that a link is as good as a copy.
        if file.extension().is_some_and(|kind| kind == "rlib" || kind == "rmeta" || kind == "so") {
            std::fs::hard_link(&file, theirs.join("deps").join(file.file_name().unwrap())).unwrap();
        }
    }
}

/// The files of the commit, once: their times are those of the unpacking, for cargo goes by times.
fn check_out(commit: &str, sources: &Path, mark: &Path) {
    if std::fs::read_to_string(mark).is_ok_and(|there| there == commit) {
        return;
    }
    let _ = std::fs::remove_dir_all(sources);
    std::fs::create_dir_all(sources).unwrap();
    let archive = sources.with_extension("tar");
    let archived = Command::new("git")
        .args(["archive", "--output"])
        .arg(&archive)
        .arg(commit)
        .current_dir(binary::root())
        .status();
    assert!(archived.unwrap().success(), "git archive {commit}");
    let unpacked = Command::new("tar").args(["-x", "-m", "-f"]).arg(&archive).arg("-C").arg(sources).status();
    assert!(unpacked.unwrap().success(), "tar -x of {commit}");
    std::fs::write(mark, commit).unwrap();
}
