-- lose_consumer
-- $1 shop_id text
-- $2 name text
UPDATE counterfoil.consumers SET lost_at = coalesce(lost_at, clock_timestamp()) WHERE shop_id = $1 AND name = $2
RETURNING name;
