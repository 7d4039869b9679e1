//! API keys: bound to a shop, revocable, and never stored.

use access::{ApiKeys, Denied, Error, Role, RoleSet};
use domain::ShopId;
use std::time::Duration;
use test_support::{TestDatabase, wait_until};

const DEADLINE: Duration = Duration::from_secs(30);

async fn keys() -> (ApiKeys, ShopId, TestDatabase) {
    let test = TestDatabase::create().await;
    let sql = "INSERT INTO counterfoil.shops (shop_id, environment, hash_key_wrapped, kek_id) VALUES ('my_shop', 'dev', '', '')";
    test.superuser().await.batch_execute(sql).await.unwrap();
    (ApiKeys::new(test.database()), ShopId::parse("my_shop").unwrap(), test)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_says_whose_it_is_until_it_is_revoked() {
    let (keys, shop, test) = keys().await;
    let roles: RoleSet = [Role::Shop, Role::Viewer].into_iter().collect();
    let (text, key_id) = keys.create(&shop, "checkout", roles).await.unwrap();
    let identity = keys.authenticate(text.expose()).await.unwrap();
    assert_eq!((&identity.shop, &identity.key_id, identity.holder.as_str()), (&shop, &key_id, "checkout"));
    assert!(identity.has(Role::Shop) && !identity.has(Role::Operator));

    let noted = async || keys.list(&shop).await.unwrap()[0].last_used_at.is_some();
    assert!(wait_until(DEADLINE, noted).await, "its use is noted");
    assert!(keys.revoke(&shop, &key_id).await.unwrap());
    assert!(!keys.revoke(&shop, &key_id).await.unwrap());
    assert_eq!(keys.authenticate(text.expose()).await, Err(Denied::Invalid));
    let elsewhere = ApiKeys::new(test.database());
    assert_eq!(elsewhere.authenticate(text.expose()).await, Err(Denied::Invalid));
    assert!(keys.list(&shop).await.unwrap()[0].revoked_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_shop_or_with_another_secret_is_denied() {
    let (keys, shop, _test) = keys().await;
    let (text, _) = keys.create(&shop, "checkout", Role::Shop.into()).await.unwrap();
    let text = text.expose();
    let last = if text.ends_with('0') { "1" } else { "0" };
    let wrong_secret = format!("{}{last}", &text[..text.len() - 1]);
    assert_eq!(keys.authenticate(&wrong_secret).await, Err(Denied::Invalid));
    assert_eq!(keys.authenticate(&text.replace("my_shop", "other")).await, Err(Denied::Invalid));
    assert_eq!(keys.authenticate("Bearer").await, Err(Denied::Malformed));
    assert_eq!(keys.authenticate(&"x".repeat(10_000)).await, Err(Denied::Malformed));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_made_for_nobody_for_nothing_or_for_no_shop() {
    let (keys, shop, _test) = keys().await;
    assert!(matches!(keys.create(&shop, "", Role::Shop.into()).await, Err(Error::Invalid(_))));
    assert!(matches!(keys.create(&shop, "checkout", RoleSet::default()).await, Err(Error::Invalid(_))));
    let nobody = ShopId::parse("nobody").unwrap();
    assert!(matches!(keys.create(&nobody, "checkout", Role::Shop.into()).await, Err(Error::UnknownShop(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_key_is_in_no_table() {
    let (keys, shop, test) = keys().await;
    let (text, _) = keys.create(&shop, "checkout", Role::Shop.into()).await.unwrap();
    let secret = text.expose().rsplit('_').next().unwrap();
    let row =
        test.superuser().await.query_one("SELECT k::text FROM counterfoil.api_keys k", &[]).await.unwrap();
    let stored: String = row.get(0);
    assert!(!stored.contains(secret), "{stored}");
}
