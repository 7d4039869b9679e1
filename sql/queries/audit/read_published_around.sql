-- read_published_around
-- $1 shop text
-- $2 from bigint
-- $3 through bigint
-- What was published of sizes from the last one at or below $2 to the first one at or above $3.
SELECT c.size, c.note FROM counterfoil.tree_checkpoints AS c
WHERE c.shop_id = $1 AND c.published_at IS NOT NULL
    AND c.size >= coalesce((
        SELECT b.size FROM counterfoil.tree_checkpoints AS b
        WHERE b.shop_id = $1 AND b.size <= $2 AND b.published_at IS NOT NULL ORDER BY b.size DESC LIMIT 1
    ), 0)
    AND c.size <= coalesce((
        SELECT a.size FROM counterfoil.tree_checkpoints AS a
        WHERE a.shop_id = $1 AND a.size >= $3 AND a.published_at IS NOT NULL ORDER BY a.size LIMIT 1
    ), 9223372036854775807)
ORDER BY c.size
