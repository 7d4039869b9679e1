-- get_shop
-- $1 shop_id text
SELECT s.environment,
       s.feed_epoch,
       s.hash_key_wrapped,
       ARRAY(SELECT w.webhook_id
               FROM counterfoil.webhooks AS w
              WHERE w.shop_id = $1
              ORDER BY w.created_at, w.webhook_id) AS webhook_ids
  FROM counterfoil.shops AS s
 WHERE s.shop_id = $1
