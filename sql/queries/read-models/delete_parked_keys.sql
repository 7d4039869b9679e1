-- delete_parked_keys
-- $1 shop_id text
-- $2 key text[]
DELETE FROM counterfoil.parked_keys WHERE shop_id = $1 AND key = ANY ($2::text[]);
