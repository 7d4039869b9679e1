-- delete_consumer
-- $1 shop_id text
-- $2 name text
DELETE FROM counterfoil.consumers WHERE shop_id = $1 AND name = $2
RETURNING name;
