-- list_shops
SELECT s.shop_id,
       s.environment,
       s.created_at,
       s.feed_epoch,
       s.kek_id,
       ARRAY(SELECT w.webhook_id
               FROM counterfoil.webhooks AS w
              WHERE w.shop_id = s.shop_id
              ORDER BY w.created_at, w.webhook_id) AS webhook_ids
  FROM counterfoil.shops AS s
 ORDER BY s.shop_id
 LIMIT 10000
