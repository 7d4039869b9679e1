//! Witnesses as operators know them: `serve --witnesses`, what is published, and what is refused.

use std::net::SocketAddr;
use std::time::Duration;

use access::Role;
use serde_json::{Value, json};
use test_support::{AnyWitness, Omniwitness, TestWitness, wait_until};
use tlog::{Note, Opened, Policy, Verifier};

use crate::ground::{SHOP, client};
use crate::led_shop::DEADLINE;
use crate::program::{Serving, free_address};
use crate::tree_ground::entries;
use crate::tree_served::Signed;

const WITNESS: &str = "w.example";

#[tokio::test(flavor = "multi_thread")]
async fn serve_publishes_cosignatures_and_takes_nothing_once_a_witness_has_seen_another_history() {
    let signed = Signed::prepare().await;
    let key = signed.vkeys().remove(0);
    let witness = TestWitness::start(WITNESS, &key).await;
    assert_cosigned_and_refused(&Witnessed { signed, key, witness, address: free_address() }).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go 1.27, or PyPI, and Go's module proxy: make test-all"]
async fn serve_publishes_the_cosignatures_of_omniwitness_and_takes_nothing_once_it_has_seen_another_history()
{
    let signed = Signed::prepare().await;
    let key = signed.vkeys().remove(0);
    let Some(witness) = Omniwitness::start(WITNESS, &key).await else { return };
    assert_cosigned_and_refused(&Witnessed { signed, key, witness, address: free_address() }).await;
}

/// A shop that is served, and the one witness of its log.
struct Witnessed<W> {
    signed: Signed,
    key: Verifier,
    witness: W,
    address: SocketAddr,
}

impl<W: AnyWitness> Witnessed<W> {
    fn serve(&self) -> Serving {
        let file = self.signed.dir("policy.txt");
        std::fs::write(&file, self.policy_text()).unwrap();
        let told = [("COUNTERFOIL_WITNESSES", file.display().to_string())];
        self.signed.spawn_told("a", self.address, &told)
    }

    fn policy_text(&self) -> String {
        format!("{}\nquorum {WITNESS}\n", self.witness.policy_line())
    }

    /// By whoever believes the witness: that the checkpoint which is served is of so many events.
    async fn has_seen(&self, auditor: &str, size: u64) -> bool {
        let url = format!("http://{}/log/{SHOP}/checkpoint", self.address);
        let answer = client(Duration::from_secs(10)).get(url).bearer_auth(auditor).send().await.unwrap();
        let Ok(note) = Note::parse(&answer.bytes().await.unwrap()) else { return false };
        let policy: Policy = self.policy_text().parse().unwrap();
        let policy = policy.with_log(self.key.clone()).unwrap();
        let of_size = |opened: Opened<'_>| opened.checkpoint.size() == size && opened.cosignatures.len() == 1;
        policy.open(&note).is_ok_and(of_size)
    }

    async fn size(&self) -> u64 {
        entries(&self.signed.ground.test, &self.signed.ground.shop).await.len() as u64
    }

    /// The answer to one more command; none while nobody answers.
    async fn receive(&self, id: &str) -> Option<(u16, Value)> {
        let url = format!("http://{}/v1/stock/tea/receive", self.address);
        let sent = client(Duration::from_secs(10)).post(url).bearer_auth(&self.signed.ground.key);
        let answer = sent.json(&json!({"id": id, "qty": 1})).send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.ok()?))
    }
}

async fn assert_cosigned_and_refused<W: AnyWitness>(shop: &Witnessed<W>) {
    let mut serving = shop.serve();
    serving.is_ready().await;
    shop.signed.ground.stock(shop.address).await;
    let auditor = shop.signed.ground.key_of(Role::Audit).await;
    let is_seen = wait_until(DEADLINE, async || shop.has_seen(&auditor, shop.size().await).await);
    assert!(is_seen.await, "it is not published with a cosignature");
    serving.kill();

    // Whoever has the database and its host: nobody else remembers.
    let rewrite = "
        SET session_replication_role = replica;
        UPDATE counterfoil.events SET entry = replace(entry, '1000000000', '9000000000')
        WHERE position = (SELECT min(position) FROM counterfoil.events WHERE entry LIKE '%1000000000%');
        UPDATE counterfoil.events SET leaf_hash = sha256('\\x00'::bytea || convert_to(entry, 'UTF8'));
        DELETE FROM counterfoil.tree_checkpoints;
        DELETE FROM counterfoil.tree_tiles;
        DELETE FROM counterfoil.trees;
        DELETE FROM counterfoil.witnesses;
        UPDATE counterfoil.checkpoints SET lease_expires_at = NULL";
    shop.signed.ground.test.superuser().await.batch_execute(rewrite).await.unwrap();
    std::fs::remove_dir_all(shop.signed.dir("a")).unwrap();

    // The service signs what it finds with the real key.
    let serving = shop.serve();
    let is_refused = wait_until(DEADLINE, async || {
        let answer = shop.receive("another").await;
        answer.is_some_and(|(status, document)| status == 503 && document["code"] == "log_forked")
    });
    assert!(is_refused.await, "{:?}", shop.receive("another").await);
    let size = shop.size().await;
    let (status, document) = shop.receive("one-more").await.unwrap();
    assert_eq!((status, &document["code"]), (503, &json!("log_forked")), "{document}");
    assert_eq!(shop.size().await, size);
    assert!(!shop.has_seen(&auditor, size).await);
    serving.kill();
}
