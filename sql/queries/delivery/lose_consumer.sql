-- lose_consumer
-- $1 shop_id text
-- $2 name text
UPDATE counterfoil.consumers SET lost_at = least(lost_at, statement_timestamp()) WHERE shop_id = $1 AND name = $2
RETURNING name;
