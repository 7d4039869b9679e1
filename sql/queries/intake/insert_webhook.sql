-- insert_webhook
-- $1 shop_id text
-- $2 webhook_id text
INSERT INTO counterfoil.webhooks AS w (shop_id, webhook_id, created_at)
SELECT s.shop_id, $2, statement_timestamp()
  FROM counterfoil.shops AS s
 WHERE s.shop_id = $1
ON CONFLICT (shop_id, webhook_id) DO NOTHING
RETURNING w.webhook_id
