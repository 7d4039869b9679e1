//! A Citus cluster that is given. `CITUS_URL` names its coordinator, and the database there that knows the other nodes; the
//! login is a superuser's whom every node lets in by the same word.

use tokio_postgres::Config;

use crate::server::superuser;

/// What the coordinator is reached by, where one is given.
pub(crate) fn given() -> Option<Config> {
    let url = std::env::var_os("CITUS_URL")?.into_string().expect("CITUS_URL is text");
    let config: Config = url.parse().expect("CITUS_URL can be read");
    assert!(config.get_dbname().is_some(), "CITUS_URL names the database in which citus_add_node was called");
    Some(config)
}

/// What the other nodes are reached by.
pub(crate) async fn nodes(coordinator: &Config) -> Vec<Config> {
    let client = superuser(coordinator, coordinator.get_dbname().unwrap_or_default()).await;
    let listed = "SELECT nodename, nodeport FROM pg_dist_node WHERE groupid <> 0 ORDER BY nodeid";
    let rows = client.query(listed, &[]).await.expect("the database of CITUS_URL has the extension citus");
    let nodes: Vec<Config> = rows
        .iter()
        .map(|row| {
            let mut config = Config::new();
            config.host(row.get::<_, String>(0)).port(u16::try_from(row.get::<_, i32>(1)).unwrap());
            config.user(coordinator.get_user().unwrap_or("postgres"));
            if let Some(password) = coordinator.get_password() {
                config.password(password);
            }
            config
        })
        .collect();
    assert!(!nodes.is_empty(), "the cluster of CITUS_URL has other nodes");
    nodes
}

/// Makes a cluster of an empty database that every node has. Few shards: tests have few shops, and many databases.
pub(crate) async fn join(coordinator: &Config, nodes: &[Config], dbname: &str) {
    for config in std::iter::once(coordinator).chain(nodes) {
        superuser(config, dbname).await.batch_execute("CREATE EXTENSION citus").await.unwrap();
    }
    let client = superuser(coordinator, dbname).await;
    let named = |config: &Config| {
        let tokio_postgres::config::Host::Tcp(host) = &config.get_hosts()[0] else {
            panic!("nodes are reached by TCP");
        };
        format!("'{host}', {}", config.get_ports()[0])
    };
    let mut statements = vec![format!("SELECT citus_set_coordinator_host({})", named(coordinator))];
    statements.extend(nodes.iter().map(|node| format!("SELECT citus_add_node({})", named(node))));
    statements.push(format!("ALTER DATABASE {dbname} SET citus.shard_count = 4"));
    for statement in statements {
        client.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}
