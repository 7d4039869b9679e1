//! A published log as it is read, and as it is written to a directory.

use std::time::Duration;

use audit::tree::{Directories, publish_files};
use test_support::wait_until;
use tlog::{Bundle, Checkpoint, Tile, bundles_between, encode_bundle};

use crate::led_shop::DEADLINE;
use crate::tree_ground::{TreeShop, files_of, integrate_all, scratch};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_and_what_is_written_as_files_are_the_tree_and_the_log() {
    let shop = TreeShop::create().await;
    let mut integrator = shop.integrator().await;
    let dir = shop.folder.path().join("published");
    for size in [1, 200, 256, 300, 66_000, 66_001] {
        shop.append_up_to(size).await;
        integrate_all(&mut integrator).await;
        assert!(integrator.publish(Duration::ZERO).await.unwrap());
        assert!(publish_files(&shop.trees, &shop.shop, &dir).await.unwrap());
        let (entries, files) = (shop.entries().await, files_of(&dir));
        let published = shop.trees.published(&shop.shop).await.unwrap().unwrap();
        assert_eq!(files["checkpoint"], published.note.as_bytes());
        for (tile, bytes) in scratch(&entries) {
            assert_eq!(files[&tile.to_string()], bytes, "{tile}");
            assert_eq!(shop.trees.tile(&shop.shop, tile).await.unwrap(), Some(bytes), "{tile}");
        }
        for bundle in bundles_between(0, size) {
            let positions = bundle.positions();
            let bytes = encode_bundle(&entries[positions.start as usize..positions.end as usize]).unwrap();
            assert_eq!(files[&bundle.to_string()], bytes, "{bundle}");
            assert_eq!(shop.trees.bundle(&shop.shop, bundle).await.unwrap(), Some(bytes), "{bundle}");
        }
        let is_wanted = |name: &str| {
            let tile = name.parse().is_ok_and(|tile: Tile| tile.is_within(size));
            tile || name.parse().is_ok_and(|bundle: Bundle| bundle.is_within(size)) || name == "checkpoint"
        };
        for name in files.keys() {
            assert!(is_wanted(name), "{name} at {size}");
        }
    }
    // Partial ones are there for the sizes that were published since the last full one.
    let files = files_of(&dir);
    assert!(
        files.contains_key("tile/0/257.p/208") && files.contains_key("tile/0/257.p/209"),
        "{:?}",
        files.keys()
    );
    assert!(!files.contains_key("tile/0/001.p/44"), "it is full by now");
    // A narrower one is the beginning of a wider one; nothing is there beyond what was published.
    let narrow: Tile = "tile/0/000.p/7".parse().unwrap();
    let full = shop.trees.tile(&shop.shop, narrow.full()).await.unwrap().unwrap();
    assert_eq!(shop.trees.tile(&shop.shop, narrow).await.unwrap().unwrap(), full[..7 * 32]);
    shop.append(1).await;
    integrate_all(&mut integrator).await;
    for beyond in ["tile/0/257.p/210", "tile/0/257", "tile/0/258.p/1", "tile/2/001.p/1", "tile/63/000"] {
        assert_eq!(shop.trees.tile(&shop.shop, beyond.parse().unwrap()).await.unwrap(), None, "{beyond}");
    }
    for beyond in ["tile/entries/257.p/210", "tile/entries/257", "tile/entries/258.p/1"] {
        assert_eq!(shop.trees.bundle(&shop.shop, beyond.parse().unwrap()).await.unwrap(), None, "{beyond}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_never_overwritten_with_another_log() {
    let shop = TreeShop::create().await;
    let mut integrator = shop.integrator().await;
    shop.append(299).await;
    integrate_all(&mut integrator).await;
    integrator.publish(Duration::ZERO).await.unwrap();
    let (trees, id) = (&shop.trees, &shop.shop);
    let place = |name: &str| shop.folder.path().join(name);

    // A file that is there, of a checkpoint that was not finished.
    let begun = place("begun");
    std::fs::create_dir_all(begun.join("tile/0")).unwrap();
    std::fs::write(begun.join("tile/0/000"), "another").unwrap();
    let error = publish_files(trees, id, &begun).await.unwrap_err();
    assert!(error.is_refusal() && error.to_string().contains("tile/0/000"), "{error}");
    assert_eq!(std::fs::read(begun.join("tile/0/000")).unwrap(), b"another");
    assert!(!begun.join("checkpoint").exists());

    // A directory that is ahead of the database, as after a restore, and one of another history.
    let ahead = place("ahead");
    assert!(publish_files(trees, id, &ahead).await.unwrap());
    let files = files_of(&ahead);
    let name = shop.origin().of(id, 0);
    let signer = shop.keys().signers(&name).unwrap();
    for (size, root, said) in [(301, [7; 32], "was it restored?"), (100, [7; 32], "its root is not the one")]
    {
        let forged = Checkpoint::new(&*name, size, root).unwrap().sign(&[&signer[0]]).unwrap();
        std::fs::write(ahead.join("checkpoint"), forged.to_string()).unwrap();
        let error = publish_files(trees, id, &ahead).await.unwrap_err();
        assert!(error.is_refusal() && error.to_string().contains(said), "{error}");
        assert_eq!(std::fs::read(ahead.join("checkpoint")).unwrap(), forged.to_string().as_bytes());
    }
    let other = Checkpoint::new("other.example", 1, [7; 32]).unwrap().sign(&[&signer[0]]).unwrap();
    std::fs::write(ahead.join("checkpoint"), other.to_string()).unwrap();
    assert!(
        publish_files(trees, id, &ahead).await.unwrap_err().to_string().contains("it is of other.example")
    );

    // What a crash left is finished: some files are there, and one was under way.
    let cut = place("cut");
    std::fs::create_dir_all(cut.join("tile/entries")).unwrap();
    std::fs::write(cut.join("tile/entries/000"), &files["tile/entries/000"]).unwrap();
    std::fs::write(cut.join("tile/entries/001.unfinished"), "cut").unwrap();
    assert!(publish_files(trees, id, &cut).await.unwrap());
    std::fs::remove_file(cut.join("tile/entries/001.unfinished")).unwrap();
    assert_eq!(files_of(&cut), files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_follows_what_is_published_also_after_a_restart_and_beside_another() {
    let shop = TreeShop::create().await;
    let growing = shop.grow();
    let dir = shop.folder.path().join("logs");
    let every = Duration::from_millis(10);
    let keep = || Directories::start(shop.database.clone(), dir.clone(), every);
    let follows = async || {
        let note = shop.published().await.note;
        wait_until(DEADLINE, async || {
            std::fs::read(dir.join("shop/checkpoint")).is_ok_and(|there| there == note.as_bytes())
        })
        .await
    };
    let (first, second) = (keep(), keep());
    shop.published_at(1).await;
    for _ in 0..10 {
        shop.append(77).await;
        assert!(follows().await);
    }
    first.stop().await;
    second.stop().await;
    shop.append(1_000).await;
    shop.published().await;
    let third = keep();
    assert!(follows().await);
    third.stop().await;
    growing.stop().await;
    let (files, entries) = (files_of(&dir.join("shop")), shop.entries().await);
    for (tile, bytes) in scratch(&entries) {
        assert_eq!(files[&tile.to_string()], bytes, "{tile}");
    }
    assert_eq!(entries.len(), 1 + 770 + 1_000);
}
