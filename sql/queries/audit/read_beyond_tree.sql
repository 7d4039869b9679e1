-- read_beyond_tree
-- $1 shop text
-- $2 size bigint
-- What there is of a tree beyond its size: the largest that was signed, and how many tiles begin behind it.
SELECT coalesce((SELECT max(c.size) FROM counterfoil.tree_checkpoints AS c WHERE c.shop_id = $1), 0) AS signed,
    (
        SELECT count(*) FROM counterfoil.tree_tiles AS t
        WHERE t.shop_id = $1 AND t.index::numeric * 256::numeric ^ (t.level + 1) >= $2::bigint
    ) AS tiles
