-- insert_consumer
-- $1 shop_id text
-- $2 name text
-- $3 epoch integer
-- $4 position bigint
INSERT INTO counterfoil.consumers (shop_id, name, epoch, position) VALUES ($1, $2, $3, $4)
ON CONFLICT (shop_id, name) DO NOTHING;
