//! API keys: bound to a shop, revocable, and never stored.

use access::{ApiKeys, Denied, Error, Role, RoleSet};
use domain::ShopId;
use std::time::Duration;
use test_support::{TestDatabase, wait_until};

use crate::sink_ground::operator;

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
    assert!(keys.revoke(&operator(), &shop, &key_id).await.unwrap());
    assert!(!keys.revoke(&operator(), &shop, &key_id).await.unwrap());
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
async fn a_key_that_is_rotated_goes_on_through_the_overlap_and_then_ends() {
    let (_, shop, test) = keys().await;
    // As the verb does it: the service itself may not.
    let keys = ApiKeys::new(test.database_owner());
    let roles: RoleSet = [Role::Shop, Role::Viewer].into_iter().collect();
    let (old, old_id) = keys.create(&shop, "checkout", roles).await.unwrap();
    let day = Duration::from_secs(86_400);
    let (new, new_id, ends) =
        keys.rotate(&operator(), &shop, &old_id, 7 * day, Some(90 * day)).await.unwrap().unwrap();
    let now = test.database().now().await.unwrap();
    assert!(ends > now + 6 * day && ends < now + 8 * day, "{ends}");
    let [before, after] = [&old, &new].map(|key| keys.authenticate(key.expose()));
    let (before, after) = (before.await.unwrap(), after.await.unwrap());
    assert_eq!((before.key_id, after.key_id), (old_id.clone(), new_id.clone()));
    assert_eq!((after.holder.as_str(), after.roles), ("checkout", roles));

    assert!(
        keys.rotate(&operator(), &shop, &old_id, day, None).await.unwrap().is_none(),
        "it was rotated before"
    );
    assert!(keys.rotate(&operator(), &shop, "000000000000", day, None).await.unwrap().is_none());
    let rows = keys.list(&shop).await.unwrap();
    assert_eq!(
        (rows.len(), rows[0].replaced_by.as_deref(), rows[1].replaced_by.as_deref()),
        (2, Some(&*new_id), None)
    );
    assert!(rows[1].expires_at.unwrap() > now + 80 * day);

    let over =
        "UPDATE counterfoil.api_keys SET expires_at = statement_timestamp() WHERE replaced_by IS NOT NULL";
    test.superuser().await.batch_execute(over).await.unwrap();
    let elsewhere = ApiKeys::new(test.database());
    assert_eq!(elsewhere.authenticate(old.expose()).await, Err(Denied::Invalid));
    assert!(elsewhere.authenticate(new.expose()).await.is_ok());
    assert!(keys.rotate(&operator(), &shop, &old_id, day, None).await.unwrap().is_none(), "it has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_uses_of_many_keys_are_noted_by_one_statement() {
    let (keys, shop, test) = keys().await;
    let count = "CREATE TABLE counted (n int); GRANT INSERT ON counted TO PUBLIC;
                 CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql
                     AS 'BEGIN INSERT INTO public.counted VALUES (1); RETURN NULL; END';
                 CREATE TRIGGER counts AFTER UPDATE ON counterfoil.api_keys EXECUTE FUNCTION count_it()";
    test.superuser().await.batch_execute(count).await.unwrap();
    for holder in ["a", "b", "c"] {
        let (text, _) = keys.create(&shop, holder, Role::Shop.into()).await.unwrap();
        for _ in 0..3 {
            keys.authenticate(text.expose()).await.unwrap();
            assert!(keys.recall(text.expose()).await.is_some());
        }
    }
    let noted = async || keys.list(&shop).await.unwrap().iter().all(|key| key.last_used_at.is_some());
    assert!(wait_until(DEADLINE, noted).await);
    let row = test.superuser().await.query_one("SELECT count(*) FROM counted", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
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
