-- read_tiles
-- Each as wide as it is by now; those that are not there are left out.
-- $1 shop_id text
-- $2 levels smallint[]
-- $3 indexes bigint[]
SELECT t.level, t.index, t.hashes
FROM unnest($2::smallint[], $3::bigint[]) AS k (level, index)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.tree_tiles AS t
    WHERE t.shop_id = $1 AND t.level = k.level AND t.index = k.index OFFSET 0
) AS t;
