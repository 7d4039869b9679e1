-- read_leaves
-- $1 shop text
-- $2 after bigint
-- $3 limit bigint
SELECT leaf_hash FROM counterfoil.events WHERE shop_id = $1 AND position > $2 ORDER BY position LIMIT $3
