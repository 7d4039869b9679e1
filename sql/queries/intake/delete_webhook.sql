-- delete_webhook
-- $1 shop_id text
-- $2 webhook_id text
DELETE FROM counterfoil.webhooks
 WHERE shop_id = $1
   AND webhook_id = $2
RETURNING webhook_id
