//! What OPERATING.md has somebody type that is no command of ours: each line is run by a test, here or where it says.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use secrecy::ExposeSecret as _;
use serde_json::json;
use test_support::{Server, TestDatabase, skip};

use crate::binary::{self, TempDir, said};
use crate::documents::{blocks, lines, read};
use crate::led_shop::{LedShop, assert_shop_sound};

const OPERATING: &str = "crates/counterfoil/docs/OPERATING.md";
const INSTALL: &str = "tests/it/debian/install.sh";

/// A login of the service's, by the owner.
const LOGIN: &str =
    r#"psql "$MAINTENANCE_DATABASE_URL" -c "CREATE ROLE counterfoil LOGIN IN ROLE counterfoil_service""#;
const DUMP: &str =
    r#"pg_dump --format custom --schema counterfoil --file counterfoil.dump "$MAINTENANCE_DATABASE_URL""#;
const RESTORE: &str = r#"pg_restore --dbname "$DATABASE_URL" counterfoil.dump"#;

/// What is run here.
const HERE: [&str; 3] = [LOGIN, DUMP, RESTORE];

/// What is run by another test: its file, and how it stands there.
const ELSEWHERE: [(&str, &str, &str); 8] = [
    ("dpkg --install counterfoil_*.deb", INSTALL, "dpkg --install /counterfoil.deb"),
    (
        "export MAINTENANCE_DATABASE_URL=postgres://counterfoil_owner:..@127.0.0.1/counterfoil",
        INSTALL,
        "export MAINTENANCE_DATABASE_URL=\"postgres://counterfoil_owner:",
    ),
    (
        "export COUNTERFOIL_STATE_DIR=/var/lib/counterfoil COUNTERFOIL_KEK_FILE=/etc/counterfoil/secrets/kek",
        INSTALL,
        "export COUNTERFOIL_STATE_DIR=/var/lib/counterfoil COUNTERFOIL_KEK_FILE=/etc/counterfoil/secrets/kek",
    ),
    (
        "(umask 077; head -c 32 /dev/urandom > /etc/counterfoil/secrets/kek)",
        INSTALL,
        "(umask 077; head -c 32 /dev/urandom > /etc/counterfoil/secrets/kek)",
    ),
    ("chown -R counterfoil: /var/lib/counterfoil", INSTALL, "chown -R counterfoil: /var/lib/counterfoil"),
    // There is no systemd in namespaces: what it would do by the unit is done by hand there.
    ("systemctl enable --now counterfoil", INSTALL, "systemd-analyze verify --man=no counterfoil.service"),
    ("dpkg-deb --extract counterfoil_*.deb new", INSTALL, "dpkg-deb --extract /counterfoil.deb new"),
    ("new/usr/bin/counterfoil migrate", INSTALL, "new/usr/bin/counterfoil migrate"),
];

/// A part that another test reads from the document, and does: line by line, but for `build` and `up`, which the engine there wants
/// service by service.
const CONTAINER: &str = "### In a container";
const IN_CONTAINER: &str = "tests/it/container/mod.rs";

#[test]
fn every_line_that_is_no_command_of_ours_is_run_by_a_test() {
    let text = read(OPERATING);
    let (before, rest) = text.split_once(CONTAINER).unwrap();
    let (part, behind) = rest.split_once("\n### ").unwrap();
    let test = read(IN_CONTAINER);
    let of_part: Vec<String> = blocks(part).into_iter().map(|(_, block)| block).collect();
    for (block, asked_for) in of_part.iter().zip(["docker run", "services:", "docker compose run", "curl"]) {
        assert!(
            block.contains(asked_for) && test.contains(&format!("block_with(\"{asked_for}\")")),
            "{block}"
        );
    }
    assert_eq!(of_part.len(), 4, "a block that {IN_CONTAINER} does not run: {of_part:?}");
    let text = format!("{before}{behind}");
    let shown = blocks(&text).into_iter().filter(|(word, _)| word == "text" || word == "sh");
    let others: BTreeSet<String> =
        shown.flat_map(|(_, block)| lines(&block)).filter(|line| !line.starts_with("counterfoil ")).collect();
    let run: BTreeSet<String> =
        HERE.into_iter().chain(ELSEWHERE.map(|(line, ..)| line)).map(str::to_owned).collect();
    assert_eq!(others, run);
    for (line, file, as_run) in ELSEWHERE {
        let test = read(file);
        assert!(
            test.lines().any(|of_test| of_test.trim().starts_with(as_run)),
            "{file} does not run: {line}"
        );
    }
}

/// As a reader types it.
fn shell(dir: &Path, line: &str, variable: (&str, &str)) {
    let programs = test_support::binaries().program("psql").parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap();
    let programs = std::env::join_paths([programs].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut shell = binary::clean(Command::new("sh"), dir);
    let output = shell.args(["-c", line]).env("PATH", programs).env(variable.0, variable.1).output().unwrap();
    assert!(output.status.success(), "{line}\n{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_gets_its_login_and_a_dump_is_restored_as_the_document_says() {
    if !test_support::binaries().program("pg_dump").is_file() {
        skip("pg_dump is missing", "apt-get install postgresql-client");
        return;
    }
    // Roles are the server's: while it runs this one is nobody else's, but a test of before may have had it.
    let server = tokio::task::spawn_blocking(Server::alone).await.unwrap();
    let shop = LedShop::on(TestDatabase::create_on(server.clone()).await).await;
    let (dir, owner) = (TempDir::new(), ("MAINTENANCE_DATABASE_URL", shop.test.url_owner()));
    // Of a role that `migrate` has made its owner is the administrator.
    let superuser = shop.test.superuser().await;
    superuser.batch_execute("DROP ROLE IF EXISTS counterfoil").await.unwrap();
    superuser.batch_execute("GRANT counterfoil_service TO test_owner WITH ADMIN OPTION").await.unwrap();
    shell(dir.path(), LOGIN, (owner.0, owner.1.expose_secret()));
    let is_login = "SELECT rolcanlogin AND pg_has_role(oid, 'counterfoil_service', 'member') \
                    FROM pg_roles WHERE rolname = 'counterfoil'";
    assert!(superuser.query_one(is_login, &[]).await.unwrap().get::<_, bool>(0));

    let relay = shop.lead();
    shop.settle(&relay, "stock.received", json!({"sku": "A", "qty": 5})).await;
    relay.stop().await;
    shell(dir.path(), DUMP, (owner.0, owner.1.expose_secret()));
    let restored = TestDatabase::create_empty_on(server).await;
    shell(dir.path(), RESTORE, ("DATABASE_URL", restored.url_owner().expose_secret()));
    assert_shop_sound(&restored.database(), &shop.shop).await;
}
