-- delete_parked_groups
-- $1 shop_id text
-- $2 group_position bigint[]
DELETE FROM counterfoil.parked_groups WHERE shop_id = $1 AND group_position = ANY ($2::bigint[]);
