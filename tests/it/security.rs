//! What `crates/counterfoil/docs/SECURITY.md` promises and no other test holds.

use actix_web::http::Method;

use ::http_api::Limits;

use crate::binary::{self, TempDir, said};
use crate::served::{SHOP, Served};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_path_but_those_for_everybody_needs_a_key() {
    let served = Served::start(Limits::default()).await;
    let before = served.events().await;
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    for (method, path) in [
        (&get, "/v1/orders"),
        (&post, "/v1/orders"),
        (&get, "/v1/orders/1042"),
        (&post, "/v1/orders/1042/cancel"),
        (&post, "/v1/orders/1042/ship"),
        (&post, "/v1/orders/1042/resolve"),
        (&get, "/v1/payments"),
        (&post, "/v1/payments"),
        (&get, "/v1/refunds-due"),
        (&get, "/v1/stock"),
        (&post, "/v1/stock/tea/receive"),
        (&post, "/v1/stock:batch"),
        (&get, "/v1/coupons"),
        (&post, "/v1/coupons/c/issue"),
        (&get, "/v1/points"),
        (&post, "/v1/points/b/grant"),
        (&get, "/v1/events"),
        (&get, "/v1/events/0-0"),
        (&get, "/v1/dead-letters"),
        (&get, "/v1/feed"),
        (&get, "/v1/consumers"),
        (&put, "/v1/consumers/mail"),
        (&delete, "/v1/consumers/mail"),
        (&get, "/v1/sinks"),
        (&post, "/v1/sinks"),
        (&get, "/v1/sinks/mail"),
        (&delete, "/v1/sinks/mail"),
        (&post, "/v1/sinks/mail/pause"),
        (&get, "/log/demo/checkpoint"),
    ] {
        let answer = served.client.request(method.as_str().parse().unwrap(), served.url(path));
        let answer = answer.body("{}").send().await.unwrap();
        let status = answer.status().as_u16();
        // What is not there, or not by this method, gives nothing away either.
        assert!(matches!(status, 401 | 404 | 405), "{method} {path}: {status}");
    }
    for path in ["/v1/orders", "/v1/events", "/v1/feed", "/v1/sinks", "/log/demo/checkpoint"] {
        let answer = served.client.get(served.url(path)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 401, "{path}");
        assert!(answer.headers().contains_key("www-authenticate"), "{path}");
    }
    let trace = served.client.request(reqwest::Method::TRACE, served.url("/v1/orders")).send().await.unwrap();
    assert_eq!(trace.status().as_u16(), 405);
    assert_eq!(served.events().await, before);
    served.stop().await;
}

#[test]
fn no_setting_turns_verification_off() {
    let help = binary::run(&std::env::temp_dir(), &["serve", "--help"]);
    let text = String::from_utf8_lossy(&help.stdout).to_ascii_lowercase();
    assert!(text.contains("--roots"), "{text}");
    for word in ["insecure", "unsigned", "skip", "no-verify", "disable", "verify-signature", "allow-any"] {
        let offered = text.lines().find(|line| line.contains("--") && line.contains(word));
        assert!(offered.is_none(), "{offered:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_secret_of_the_environment_may_stand_in_a_file() {
    let (served, dir) = (Served::start(Limits::default()).await, TempDir::new());
    let (owner, url) = (served.owner_url(), ("COUNTERFOIL_URL", served.url("")));
    let keys = format!("keys list {SHOP}");
    for (name, secret, verb) in [
        ("DATABASE_URL", &owner, keys.as_str()),
        ("MAINTENANCE_DATABASE_URL", &owner, keys.as_str()),
        ("COUNTERFOIL_KEY", &served.operator_key, "sinks list"),
    ] {
        let (in_file, file) = (format!("{name}_FILE"), dir.path().join(name));
        let run = |more: &[(&str, &str)]| {
            let mut command = binary::command(dir.path());
            command.args(verb.split_whitespace()).env(url.0, &url.1).env(&in_file, &file);
            let output = command.envs(more.iter().copied()).output().unwrap();
            (output.status.code(), said(&output))
        };
        let (code, text) = run(&[]);
        assert!(code == Some(78) && text.contains(name) && text.contains("cannot be read"), "{text}");
        std::fs::write(&file, "\n").unwrap();
        let (code, text) = run(&[]);
        assert!(code == Some(78) && text.contains("is empty"), "{text}");
        std::fs::write(&file, format!("{secret}\n")).unwrap();
        let (code, text) = run(&[]);
        assert_eq!(code, Some(0), "{name}: {text}");
        if name == "COUNTERFOIL_KEY" {
            // `--key-file` by another name: it goes before.
            continue;
        }
        let (code, text) = run(&[(name, secret)]);
        assert!(code == Some(78) && text.contains("both set") && !text.contains(secret.as_str()), "{text}");
    }
    served.stop().await;
}
