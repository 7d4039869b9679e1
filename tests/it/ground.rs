//! What fault tests stand on: a shop with keys, certificates and goods, and `serve` as processes over its database.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use access::{ApiKeys, Role};
use database::{Clock, SystemClock};
use domain::{ShopId, Timestamp};
use evidence::{KeyEncryptionKey, Vault};
use intake::shops;
use paypal::Environment;
use paypal_simulator::Authority;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use test_support::TestDatabase;

use crate::binary::{self, TempDir};
use crate::load::{Ledger, WORKERS};
use crate::program::Serving;
use crate::soundness;

pub(crate) const SHOP: &str = "faults";
pub(crate) const WEBHOOK_ID: &str = "7CR00000000000001";

/// A shop, and how to serve it.
pub(crate) struct Ground {
    pub(crate) shop: ShopId,
    pub(crate) key: String,
    pub(crate) vault: Vault,
    pub(crate) authority: Arc<Authority>,
    arguments: Vec<String>,
    kek: String,
    folder: TempDir,
    // Dropped last: it takes the sessions of the others with it.
    pub(crate) test: TestDatabase,
}

impl Ground {
    pub(crate) async fn prepare(test: TestDatabase) -> Self {
        let database = test.database_owner();
        let folder = TempDir::new();
        let kek = folder.path().join("kek");
        std::fs::write(&kek, "07".repeat(32)).unwrap();
        std::fs::set_permissions(&kek, std::fs::Permissions::from_mode(0o600)).unwrap();
        let certs = folder.path().join("paypal");
        let authority = Authority::load_or_create(&certs).unwrap();
        let roots = folder.path().join("roots");
        std::fs::create_dir(&roots).unwrap();
        std::fs::copy(certs.join("root.pem"), roots.join("root.pem")).unwrap();

        let shop = ShopId::parse(SHOP).unwrap();
        let vault = Vault::new(KeyEncryptionKey::from_file(&kek).unwrap());
        shops::create(&database, &vault, &shop, Environment::Sandbox).await.unwrap();
        shops::add_webhook(&database, &shop, Environment::Sandbox, WEBHOOK_ID).await.unwrap();
        let (key, _) = ApiKeys::new(database).create(&shop, "a test", Role::Shop.into()).await.unwrap();
        let text = |path: &Path| path.display().to_string();
        Self {
            shop,
            key: key.expose().to_owned(),
            vault,
            authority: Arc::new(authority),
            arguments: vec!["--roots".into(), text(&roots), "--certs".into(), text(&certs)],
            kek: text(&kek),
            folder,
            test,
        }
    }

    /// Has every `serve` from here on take these arguments too.
    pub(crate) fn tell(&mut self, arguments: &[&str]) {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    }

    /// One `serve` of this build.
    pub(crate) async fn serve(&self, address: SocketAddr) -> Serving {
        self.serve_with(binary::path(), "serve", address).await
    }

    /// One of several, of whichever build; the name is what `Moves` knows its sessions by.
    pub(crate) async fn serve_with(&self, program: &Path, name: &str, address: SocketAddr) -> Serving {
        self.serve_told(program, name, address, &[]).await
    }

    /// The same, which is told more.
    pub(crate) async fn serve_told(
        &self,
        program: &Path,
        name: &str,
        address: SocketAddr,
        more: &[(&str, String)],
    ) -> Serving {
        let mut serving = self.spawn_told(program, name, address, more);
        serving.is_ready().await;
        serving
    }

    /// The same, and nothing is waited for.
    pub(crate) fn spawn_told(
        &self,
        program: &Path,
        name: &str,
        address: SocketAddr,
        more: &[(&str, String)],
    ) -> Serving {
        self.spawn_saying(program, name, address, more, Stdio::inherit())
    }

    /// The same, and what it says goes there.
    pub(crate) fn spawn_saying(
        &self,
        program: &Path,
        name: &str,
        address: SocketAddr,
        more: &[(&str, String)],
        said: Stdio,
    ) -> Serving {
        let url = self.test.url_service();
        let mut environment = vec![
            ("DATABASE_URL", format!("{} options='-c test.instance={name}'", url.expose_secret())),
            ("COUNTERFOIL_KEK_FILE", self.kek.clone()),
        ];
        environment.extend_from_slice(more);
        Serving::spawn_saying(program, address, &self.arguments, &environment, said)
    }

    /// Where the keys and certificates are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A key of the shop with that role.
    pub(crate) async fn key_of(&self, role: Role) -> String {
        let keys = ApiKeys::new(self.test.database_owner());
        keys.create(&self.shop, "a test", role.into()).await.unwrap().0.expose().to_owned()
    }

    /// Goods, a coupon and points, more than any load uses.
    pub(crate) async fn stock(&self, address: SocketAddr) {
        self.command(address, "stock/tea/receive", json!({"id": "first", "qty": 1_000_000_000})).await;
        self.command(address, "coupons/TEN/issue", json!({"id": "first", "max_uses": 1_000_000_000})).await;
        for worker in 0..WORKERS {
            let points = json!({"id": format!("w{worker}"), "points": 1_000_000_000});
            self.command(address, &format!("points/w{worker}/grant"), points).await;
        }
    }

    async fn command(&self, address: SocketAddr, path: &str, body: Value) {
        let url = format!("http://{address}/v1/{path}");
        let client = client(Duration::from_secs(10));
        let answer = client.post(url).bearer_auth(&self.key).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap_or_default());
    }

    /// What must hold whatever happened: all that was answered is there, all of it is decided, and everything agrees.
    pub(crate) async fn assert_sound(&self, ledger: &Ledger) {
        let database = self.test.database();
        soundness::wait_until_decided(&database, &self.shop).await;
        ledger.check(self, &database).await;
        soundness::assert_sound(&database, &self.shop).await;
    }
}

pub(crate) fn client(timeout: Duration) -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(timeout).build().unwrap()
}

pub(crate) fn now() -> Timestamp {
    Timestamp::new(SystemClock.now())
}
