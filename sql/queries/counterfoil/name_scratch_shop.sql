-- name_scratch_shop
-- Rows are written beside the row of their shop. That of a scratch schema has its name, and nothing to open or sign with.
-- $1 shop_id text
INSERT INTO counterfoil.shops (shop_id, environment, hash_key_wrapped, kek_id)
VALUES ($1, 'dev', '', '')
ON CONFLICT (shop_id) DO NOTHING
