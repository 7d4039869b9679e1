//! Checkpoints are stamped with a time (RFC 3161), as OpenSSL finds too.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use event_log::Guard;
use serde_json::json;
use tlog::Policy;
use witnesses::{Feeder, FeederOptions, Request, Stamper, WitnessClient, Witnessed, stamps};

use crate::binary::TempDir;
use crate::led_shop::LedShop;
use crate::published::{FileTree, entries, publish};

const CONFIG: &str = "
[tsa]
default_tsa = one
[one]
dir = .
serial = $dir/serial
crypto_device = builtin
signer_cert = $dir/tsa.pem
signer_key = $dir/tsa.key
certs = $dir/ca.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
[tsa_cert]
extendedKeyUsage = critical,timeStamping
";

/// An authority that is `openssl ts`.
struct Authority {
    dir: TempDir,
    address: std::net::SocketAddr,
    asked: Arc<AtomicU64>,
}

fn openssl(dir: &Path, arguments: &str) -> bool {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output();
    output.unwrap().status.success()
}

impl Authority {
    async fn start() -> Self {
        let dir = TempDir::new();
        std::fs::write(dir.path().join("tsa.cnf"), CONFIG).unwrap();
        std::fs::write(dir.path().join("serial"), "01").unwrap();
        for arguments in [
            "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca",
            "req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=tsa",
            "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tsa.pem -days 2 -extfile tsa.cnf -extensions tsa_cert",
        ] {
            assert!(openssl(dir.path(), arguments));
        }
        let asked = Arc::new(AtomicU64::new(0));
        let data = web::Data::new((dir.path().to_owned(), Arc::clone(&asked)));
        let server =
            HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(reply)))
                .workers(1)
                .disable_signals()
                .bind("127.0.0.1:0")
                .unwrap();
        let address = server.addrs()[0];
        tokio::spawn(server.run());
        Self { dir, address, asked }
    }
}

async fn reply(body: web::Bytes, data: web::Data<(PathBuf, Arc<AtomicU64>)>) -> HttpResponse {
    let (dir, asked) = data.get_ref();
    asked.fetch_add(1, Ordering::Relaxed);
    std::fs::write(dir.join("query.tsq"), &body).unwrap();
    assert!(openssl(dir, "ts -reply -config tsa.cnf -queryfile query.tsq -out reply.tsr"));
    let response = std::fs::read(dir.join("reply.tsr")).unwrap();
    HttpResponse::Ok().content_type("application/timestamp-reply").body(response)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs openssl: make test-all"]
async fn checkpoints_are_stamped_once_an_hour_and_openssl_finds_so_too() {
    if Command::new("openssl").arg("version").output().is_err() {
        return test_support::skip("no openssl", "apt-get install openssl");
    }
    let (authority, log, dir) = (Authority::start().await, LedShop::create().await, TempDir::new());
    log.append("stock.received", json!({"sku": "tea", "qty": 1})).await;
    publish(&entries(&log.test, &log.shop).await, dir.path());
    let client = WitnessClient::new().unwrap();
    let nobody: Policy = "quorum none\n".parse().unwrap();
    let witnessed = Witnessed::new(Arc::new(FileTree(dir.path().to_owned())), client.clone(), &nobody);
    let stamper = Stamper::new(&format!("http://{}", authority.address), client).unwrap();
    let options = FeederOptions { every: Duration::from_millis(20), ..FeederOptions::default() };
    let feeder =
        Feeder::new(log.database.clone(), Guard::default(), witnessed, options).with_stamper(stamper);
    feeder.round().await;
    feeder.round().await;
    let kept = stamps(&log.client().await, &log.shop).await.unwrap();
    assert_eq!((kept.len(), kept[0].size), (1, 1));

    // Of the same hour none is asked for; of the next one is, if anything was appended.
    log.append("stock.received", json!({"sku": "tea", "qty": 2})).await;
    publish(&entries(&log.test, &log.shop).await, dir.path());
    log.run("UPDATE counterfoil.stamps SET at = clock_timestamp()").await;
    feeder.round().await;
    assert_eq!(authority.asked.load(Ordering::Relaxed), 1);
    log.run("UPDATE counterfoil.stamps SET at = clock_timestamp() - interval '1 hour'").await;
    feeder.round().await;
    let kept = stamps(&log.client().await, &log.shop).await.unwrap();
    assert_eq!(kept.iter().map(|stamp| stamp.size).collect::<Vec<_>>(), [1, 2]);

    let bundle = TempDir::new();
    std::fs::copy(authority.dir.path().join("ca.pem"), bundle.path().join("ca.pem")).unwrap();
    kept.iter().for_each(|stamp| stamp.write_to(bundle.path()).unwrap());
    for size in [1, 2] {
        assert!(openssl(
            bundle.path(),
            &format!("ts -verify -data {size}.note -in {size}.tsr -CAfile ca.pem")
        ));
    }
    assert!(!openssl(bundle.path(), "ts -verify -data 1.note -in 2.tsr -CAfile ca.pem"));

    // An answer to another question is not believed, nor is one that is none.
    let request = Request::about(kept[0].checkpoint.as_bytes()).unwrap();
    let error = request.read(kept[0].response.clone()).unwrap_err();
    assert!(error.to_string().contains("another question"), "{error}");
    let error = Request::about(b"x").unwrap().read(kept[0].response.clone()).unwrap_err();
    assert!(error.to_string().contains("other bytes"), "{error}");
    assert!(request.read(kept[0].response[1..].to_vec()).is_err());
}
