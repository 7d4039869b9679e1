-- read_checkpoints
-- $1 shop text
-- $2 after bigint
-- $3 through bigint
-- What a log has signed, of the sizes in a range.
SELECT size, root, note, published_at FROM counterfoil.tree_checkpoints
WHERE shop_id = $1 AND size > $2 AND size <= $3
ORDER BY size
