-- read_published
-- The checkpoint that was published last.
-- $1 shop_id text
SELECT c.size, c.root, c.epoch, c.note, c.published_at
FROM counterfoil.trees AS t
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.tree_checkpoints AS c
    WHERE c.shop_id = $1 AND c.size = t.published_size OFFSET 0
) AS c
WHERE t.shop_id = $1;
