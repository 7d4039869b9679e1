-- delete_parked
-- $1 shop_id text
-- $2 position bigint[]
DELETE FROM counterfoil.parked WHERE shop_id = $1 AND position = ANY ($2::bigint[]);
