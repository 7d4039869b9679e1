-- read_published_around
-- $1 shop text
-- $2 from bigint
-- $3 through bigint
-- $4 at_most bigint
-- What was published of sizes from the last one at or below $2 to the first one at or above $3, and how many they are. Of
-- more than $4 each so many-th, with the first and the last.
WITH around AS (
    SELECT c.size, row_number() OVER (ORDER BY c.size) AS number, count(*) OVER () AS of
    FROM counterfoil.tree_checkpoints AS c
    WHERE c.shop_id = $1 AND c.published_at IS NOT NULL
        AND c.size >= coalesce((
            SELECT b.size FROM counterfoil.tree_checkpoints AS b
            WHERE b.shop_id = $1 AND b.size <= $2 AND b.published_at IS NOT NULL ORDER BY b.size DESC LIMIT 1
        ), 0)
        AND c.size <= coalesce((
            SELECT a.size FROM counterfoil.tree_checkpoints AS a
            WHERE a.shop_id = $1 AND a.size >= $3 AND a.published_at IS NOT NULL ORDER BY a.size LIMIT 1
        ), 9223372036854775807)
)
SELECT c.size, c.note, around.of
FROM around JOIN counterfoil.tree_checkpoints AS c ON c.shop_id = $1 AND c.size = around.size
WHERE (around.number - 1) % ((around.of - 1) / $4 + 1) = 0 OR around.number = around.of
ORDER BY c.size
