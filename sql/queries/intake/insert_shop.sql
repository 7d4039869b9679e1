-- insert_shop
-- $1 shop_id text
-- $2 environment text
-- $3 hash_key_wrapped bytea
-- $4 kek_id text
INSERT INTO counterfoil.shops (shop_id, environment, hash_key_wrapped, kek_id)
VALUES ($1, $2, $3, $4)
ON CONFLICT (shop_id) DO NOTHING
