//! The Merkle tree over a log: it is the tree of the entries whatever happens, and one root a size.

use std::time::Duration;

use audit::tree::{Error, Growing, Integrated, LogKeys, Options, settle_key};
use event_log::Event;
use relay::Lease;
use serde_json::Value;
use test_support::wait_until;
use tlog::{Checkpoint, Note, ProofFile, verify_consistency};

use crate::led_shop::DEADLINE;
use crate::tree_ground::{TreeShop, append, integrate_all, root_of};

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_is_that_of_the_entries_at_every_size() {
    let shop = TreeShop::create().await;
    let mut integrator = shop.integrator().await;
    let sizes = [1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 70_000];
    for size in sizes {
        shop.append_up_to(size).await;
        integrate_all(&mut integrator).await;
        assert_eq!(integrator.size(), size);
        shop.assert_sound().await;
        assert!(integrator.publish(Duration::ZERO).await.unwrap());
        // Another one goes on from what is stored.
        if size % 2 == 0 {
            shop.run("UPDATE counterfoil.checkpoints SET lease_expires_at = NULL").await;
            integrator = shop.integrator().await;
        }
    }
    let entries = shop.entries().await;
    for size in sizes {
        let root = shop.trees.root_at(&shop.shop, size).await.unwrap();
        assert_eq!(root, root_of(&entries[..size as usize]), "the root at {size}");
        let proof = shop.trees.prove_consistency(&shop.shop, size, 70_000).await.unwrap();
        verify_consistency(size, 70_000, &proof, &root, &root_of(&entries)).unwrap();
    }
    let policy = shop.policy();
    for position in [0, 1, 255, 256, 65_535, 65_536, 69_999_usize] {
        let proof = shop.trees.prove(&shop.shop, domain::Position(position as i64)).await.unwrap();
        let proof = ProofFile::parse(proof.to_string().as_bytes()).unwrap();
        let leaf = tlog::leaf_hash(entries[position].as_bytes());
        assert_eq!(proof.verify(&leaf, &policy).unwrap().checkpoint.size(), 70_000);
        assert!(proof.verify(&tlog::leaf_hash(b"another"), &policy).is_err());
    }
    let beyond = shop.trees.prove(&shop.shop, domain::Position(70_000)).await.unwrap_err();
    assert!(matches!(beyond, Error::OutOfRange { wanted: 70_000, size: 70_000 }), "{beyond}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_grow_one_tree_and_hand_it_over() {
    let shop = TreeShop::create().await;
    let (first, second) = (shop.grow(), shop.grow());
    for _ in 0..40 {
        shop.append(37).await;
    }
    shop.published().await;
    first.stop().await;
    for _ in 0..40 {
        shop.append(41).await;
    }
    shop.published().await;
    let third = shop.grow();
    second.stop().await;
    shop.append(1).await;
    let published = shop.published().await;
    third.stop().await;
    // The key's note is the first event of the log.
    assert_eq!(published.size, 1 + 40 * 37 + 40 * 41 + 1);
    shop.assert_sound().await;
    let unpublished = "SELECT count(*) FROM counterfoil.tree_checkpoints WHERE published_at IS NULL";
    assert_eq!(shop.number(unpublished).await, 0, "they go when a later one is published");
}

/// An integration that is cut at each row that it has to wait for: nothing of it is there, and the next one goes on.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_step_of_an_integration_is_cut_there_is_no_gap_and_no_second_root() {
    let shop = TreeShop::create().await;
    let growing = shop.grow();
    shop.published_at(1).await;
    let blocker = shop.test.superuser().await;
    for step in [
        "SELECT FROM counterfoil.checkpoints FOR UPDATE",
        "SELECT FROM counterfoil.trees FOR UPDATE",
        "SELECT FROM counterfoil.tree_tiles FOR UPDATE",
        "INSERT INTO counterfoil.tree_checkpoints (shop_id, size, root, epoch, note)
         SELECT shop_id, size + n, root, 0, '' FROM counterfoil.trees, generate_series(1, 100) AS n",
    ] {
        let before = shop.published().await;
        blocker.batch_execute(&format!("BEGIN; {step}")).await.unwrap();
        shop.append(100).await;
        end_waiting(&shop, "-- grow_tree").await;
        assert_eq!(shop.status().await.size, before.size, "{step}");
        blocker.batch_execute("ROLLBACK").await.unwrap();
        shop.published().await;
    }
    growing.stop().await;
    shop.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_is_cut_is_made_by_the_next_one() {
    let shop = TreeShop::create().await;
    let lease = shop.lease().await;
    let mut integrator = shop.open(lease.clone()).await.unwrap();
    for step in ["tree_checkpoints", "trees", "checkpoints"] {
        shop.append(10).await;
        integrate_all(&mut integrator).await;
        let before = shop.trees.published(&shop.shop).await.unwrap();
        let blocker = shop.test.superuser().await;
        blocker.batch_execute(&format!("BEGIN; SELECT FROM counterfoil.{step} FOR UPDATE")).await.unwrap();
        let (cut, ()) =
            tokio::join!(integrator.publish(Duration::ZERO), end_waiting(&shop, "-- publish_checkpoint"));
        assert!(matches!(cut, Err(Error::Database(_))), "{cut:?}");
        assert_eq!(shop.trees.published(&shop.shop).await.unwrap(), before);
        blocker.batch_execute("ROLLBACK").await.unwrap();
        integrator = shop.open(lease.clone()).await.unwrap();
        assert!(integrator.publish(Duration::ZERO).await.unwrap());
        assert_eq!(shop.published().await.size, integrator.size());
    }
    shop.assert_sound().await;
}

/// Ends the session of the service that waits in this statement.
async fn end_waiting(shop: &TreeShop, statement: &str) {
    let breaker = shop.test.superuser().await;
    let end = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
               WHERE datname = current_database() AND usename = 'test_service' AND wait_event_type = 'Lock'
                   AND query LIKE $1";
    let pattern = format!("{statement}%");
    let ended = wait_until(DEADLINE, async || {
        breaker.query_one(end, &[&pattern]).await.unwrap().get::<_, i64>(0) > 0
    });
    assert!(ended.await, "nobody waits in {statement}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_are_ended_at_any_moment_leave_one_tree() {
    let shop = TreeShop::create().await;
    let instances = [shop.grow(), shop.grow()];
    let breaker = shop.test.superuser().await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND usename = 'test_service' AND pid <> pg_backend_pid()";
    for round in 0..60 {
        shop.append(1 + round * 7 % 50).await;
        breaker.query(end, &[]).await.unwrap();
    }
    shop.published().await;
    for instance in instances {
        instance.stop().await;
    }
    shop.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integrator_that_was_overtaken_changes_nothing() {
    let shop = TreeShop::create().await;
    let mut overtaken = shop.integrator().await;
    shop.append(10).await;
    shop.run("UPDATE counterfoil.checkpoints SET lease_expires_at = NULL").await;
    let mut leads = shop.integrator().await;
    let lost = overtaken.integrate(5).await.unwrap_err();
    assert!(matches!(lost, Error::Lease(relay::Error::LeaseLost)), "{lost}");
    integrate_all(&mut leads).await;
    shop.assert_sound().await;
    assert_eq!(shop.status().await.size, 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_committed_is_signed() {
    let shop = TreeShop::create().await;
    let mut integrator = shop.integrator().await;
    integrate_all(&mut integrator).await;
    let session = shop.test.superuser().await;
    session.batch_execute("BEGIN").await.unwrap();
    append(&session, &shop.shop, 5).await;
    let nothing = Integrated::Added { events: 0, is_full: false };
    assert_eq!(integrator.integrate(100).await.unwrap(), nothing);
    session.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(integrator.integrate(100).await.unwrap(), nothing);
    session.batch_execute("BEGIN").await.unwrap();
    append(&session, &shop.shop, 3).await;
    session.batch_execute("COMMIT").await.unwrap();
    assert_eq!(integrator.integrate(100).await.unwrap(), Integrated::Added { events: 3, is_full: false });
    shop.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_published_no_oftener_than_it_should_be_and_what_was_published_stays() {
    let shop = TreeShop::create().await;
    let mut integrator = shop.integrator().await;
    let hour = Duration::from_secs(3_600);
    let mut first = None;
    for events in 1..=5 {
        shop.append(events).await;
        integrate_all(&mut integrator).await;
        let is_published = integrator.publish(hour).await.unwrap();
        assert_eq!(is_published, events == 1, "of {} events", integrator.size());
        first.get_or_insert(integrator.size());
    }
    let sizes = "SELECT string_agg(size::text, ' ' ORDER BY size) FROM counterfoil.tree_checkpoints";
    let sizes = async || shop.test.superuser().await.query_one(sizes, &[]).await.unwrap().get::<_, String>(0);
    assert_eq!(sizes().await, "2 4 7 11 16", "the key's note is one of them");
    assert!(integrator.publish(Duration::ZERO).await.unwrap());
    assert_eq!(sizes().await, "2 16");
    let published = shop.trees.published(&shop.shop).await.unwrap().unwrap();
    assert!(integrator.publish(Duration::ZERO).await.unwrap(), "it is published already");
    assert_eq!(shop.trees.published(&shop.shop).await.unwrap().unwrap(), published);
    assert_eq!((first, published.size), (Some(2), 16));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_as_large_as_they_may_be_are_taken_fewer_at_a_time() {
    let shop = TreeShop::create().await;
    let mut integrator = shop.integrator().await;
    integrate_all(&mut integrator).await;
    shop.run(
        "INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, entry, leaf_hash)
         SELECT 'shop', p, md5('e' || p)::uuid, 'fact', 'stock.received', 'sku:x', clock_timestamp(), e.entry,
             sha256('\\x00'::bytea || convert_to(e.entry, 'UTF8'))
         FROM generate_series(1, 700) AS p CROSS JOIN LATERAL (SELECT rpad(p::text, 60000, 'x') AS entry) AS e",
    )
    .await;
    let mut batches = Vec::new();
    while let Integrated::Added { events, is_full } = integrator.integrate(5_000).await.unwrap() {
        batches.push(events);
        if !is_full {
            break;
        }
    }
    assert_eq!(batches, [280, 280, 140]);
    shop.assert_sound().await;
    assert!(integrator.publish(Duration::ZERO).await.unwrap());
    let bundle = "tile/entries/001".parse().unwrap();
    let bytes = shop.trees.bundle(&shop.shop, bundle).await.unwrap().unwrap();
    assert_eq!(bytes.len(), 256 * 60_002);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_cannot_change_what_was_signed() {
    let shop = TreeShop::create().await;
    let mut integrator = shop.integrator().await;
    integrate_all(&mut integrator).await;
    let client = shop.database.client().await.unwrap();
    for statement in [
        "UPDATE counterfoil.tree_checkpoints SET root = root",
        "UPDATE counterfoil.tree_checkpoints SET size = size",
        "DELETE FROM counterfoil.tree_tiles",
        "DELETE FROM counterfoil.trees",
        "TRUNCATE counterfoil.tree_checkpoints",
    ] {
        let error = client.raw().batch_execute(statement).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{statement}");
    }
    let again = "INSERT INTO counterfoil.tree_checkpoints (shop_id, size, root, epoch, note)
                 SELECT shop_id, size, sha256(''), epoch, note FROM counterfoil.tree_checkpoints";
    assert_eq!(client.raw().batch_execute(again).await.unwrap_err().code().unwrap().code(), "23505");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_a_tree_or_a_key_that_is_another_is_refused_and_it_is_said_why() {
    let never_change = "ALTER TABLE counterfoil.events DISABLE TRIGGER events_never_change;";
    for (damage, said) in [
        (
            "UPDATE counterfoil.events SET leaf_hash = sha256('') WHERE position = 12",
            "position 12: the leaf hash beside",
        ),
        (
            "UPDATE counterfoil.events SET entry = '{}' WHERE position = 13",
            "position 13: the leaf hash beside",
        ),
        ("DELETE FROM counterfoil.events WHERE position = 14", "position 14: the event is gone"),
        (
            "DELETE FROM counterfoil.events WHERE position >= 10",
            "position 10: the tree has an event there that is gone",
        ),
        (
            "UPDATE counterfoil.events SET entry = '{}', leaf_hash = sha256('\\x007b7d') WHERE position = 10",
            "position 10: the tree has another entry there",
        ),
        ("UPDATE counterfoil.trees SET root = sha256('')", "size 11: its tiles do not lead to its root"),
        (
            "UPDATE counterfoil.tree_tiles SET hashes = set_byte(hashes, 3, 255 - get_byte(hashes, 3))",
            "size 11: its tiles do not lead to its root",
        ),
        ("DELETE FROM counterfoil.tree_tiles", "size 11: tile/0/000.p/11 is missing"),
    ] {
        let shop = TreeShop::create().await;
        let growing = shop.grow();
        shop.published_at(1).await;
        shop.append(10).await;
        let before = shop.published().await;
        growing.stop().await;
        shop.append(10).await;
        shop.run(&format!("{never_change} {damage}")).await;
        let growing = shop.grow();
        let error = shop.refused().await;
        assert!(error.contains(said), "{damage}: {error}");
        growing.stop().await;
        assert_eq!(shop.trees.published(&shop.shop).await.unwrap(), Some(before), "{damage}");
        assert!(!shop.status().await.is_well());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_a_wrong_origin_are_refused_and_the_right_ones_go_on() {
    let shop = TreeShop::create().await;
    let growing = shop.grow();
    shop.published_at(1).await;
    growing.stop().await;
    let right = shop.keys();
    shop.append(1).await;

    shop.write_keys(&LogKeys::generate().unwrap());
    let growing = shop.grow();
    let error = shop.refused().await;
    assert!(error.contains("is not in the key file: give serve the right file"), "{error}");
    assert!(
        error.contains(&right.verifiers("counterfoil.example/log/shop").unwrap()[0].to_string()),
        "{error}"
    );
    // The file is read anew.
    shop.write_keys(&right);
    shop.published_at(2).await;
    growing.stop().await;
    assert_eq!(shop.status().await.error, None);

    shop.append(1).await;
    let elsewhere = Options { origin: "elsewhere.example".parse().unwrap(), ..shop.options() };
    let growing = shop.grow_with(elsewhere);
    let error = shop.refused().await;
    assert!(
        error.contains("counterfoil.example/log/shop") && error.contains("COUNTERFOIL_LOG_ORIGIN"),
        "{error}"
    );
    growing.stop().await;
    let growing = shop.grow();
    shop.published_at(3).await;
    growing.stop().await;
    shop.assert_sound().await;
}

async fn key_notes(shop: &TreeShop) -> Vec<Value> {
    let client = shop.database.client().await.unwrap();
    let filter = event_log::Filter { types: vec!["key.rotated".to_owned()], ..event_log::Filter::default() };
    let events = event_log::read(&client, &shop.shop, domain::Position(-1), 100, &filter).await.unwrap();
    events.iter().map(|event: &Event| serde_json::from_str(event.data()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_noted_in_the_log_and_the_old_one_signs_below_it() {
    let shop = TreeShop::create().await;
    let instances: Vec<Growing> = vec![shop.grow(), shop.grow()];
    let first = shop.published_at(1).await;
    let old = shop.policy();
    old.open(&Note::parse(first.note.as_bytes()).unwrap()).unwrap();
    shop.append(300).await;
    shop.published().await;

    // As `keys log rotate` does while it is served: the file first, then the log.
    let keys = shop.keys().rotated().unwrap();
    shop.write_keys(&keys);
    let settled =
        settle_key(shop.appender.guard(), &shop.database, &shop.shop, &shop.origin(), &keys, "test")
            .await
            .unwrap();
    assert_eq!((settled.noted_at.0, settled.is_new), (301, true));
    let again = settle_key(shop.appender.guard(), &shop.database, &shop.shop, &shop.origin(), &keys, "test")
        .await
        .unwrap();
    assert_eq!((again.noted_at.0, again.is_new), (301, false));
    shop.append(1).await;
    let published = shop.published().await;
    let note = Note::parse(published.note.as_bytes()).unwrap();
    let vkeys = keys.verifiers("counterfoil.example/log/shop").unwrap();
    let ids: Vec<u32> = note.signatures().iter().map(tlog::Signature::key_id).collect();
    assert_eq!(ids, [vkeys[0].key_id(), vkeys[1].key_id()]);
    old.open(&note).unwrap();
    shop.policy().open(&note).unwrap();
    let notes = key_notes(&shop).await;
    let text = |vkey: &tlog::Verifier| Value::String(vkey.to_string());
    assert_eq!(notes.len(), 2);
    assert_eq!((&notes[0]["new_vkey"], notes[0].get("old_vkey")), (&text(&vkeys[1]), None));
    assert_eq!((&notes[1]["new_vkey"], &notes[1]["old_vkey"]), (&text(&vkeys[0]), &text(&vkeys[1])));
    for instance in instances {
        instance.stop().await;
    }
    shop.assert_sound().await;

    // Where only the file was changed, whoever grows the tree next notes it.
    shop.write_keys(&shop.keys().rotated().unwrap());
    let growing = shop.grow();
    shop.published_at(304).await;
    growing.stop().await;
    assert_eq!(key_notes(&shop).await.len(), 3);
    // With the new key alone it goes on; with the old ones alone it does not.
    shop.write_keys(&keys);
    let growing = shop.grow();
    assert!(shop.refused().await.contains("is not in the key file"));
    growing.stop().await;
    shop.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_epoch_has_its_own_origin_over_the_same_entries() {
    let shop = TreeShop::create().await;
    let growing = shop.grow();
    shop.published_at(1).await;
    shop.append(5).await;
    let before = shop.published().await;
    event_log::fork(&shop.test.database_owner(), &shop.shop, "test").await.unwrap();
    let after = shop.published().await;
    growing.stop().await;
    let origin = |note: &str| {
        Checkpoint::parse(Note::parse(note.as_bytes()).unwrap().text()).unwrap().origin().to_owned()
    };
    assert_eq!((origin(&before.note), before.epoch), ("counterfoil.example/log/shop".to_owned(), 0));
    assert_eq!((origin(&after.note), after.epoch), ("counterfoil.example/log/shop/e1".to_owned(), 1));
    assert_eq!(key_notes(&shop).await.len(), 1, "the key is the same");
    shop.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_whose_lease_another_program_has_is_left_to_it() {
    let shop = TreeShop::create().await;
    let lease = shop.lease().await;
    let growing = shop.grow();
    shop.append(3).await;
    let mut theirs = shop.open(lease.clone()).await.unwrap();
    integrate_all(&mut theirs).await;
    assert_eq!(shop.status().await.size, 4);
    assert_eq!(shop.status().await.holder.as_deref(), Some("a test"));
    Lease::release(&lease, &shop.database).await;
    shop.append(1).await;
    shop.published_at(5).await;
    growing.stop().await;
    shop.assert_sound().await;
}
