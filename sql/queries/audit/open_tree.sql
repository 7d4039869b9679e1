-- open_tree
-- How far the tree is, for whoever has just taken its lease; makes that of an empty log. The checkpoint is put where the
-- tree is: the two move together from then on. No row: the lease is lost.
-- $1 shop_id text
-- $2 consumer text
-- $3 epoch bigint
-- $4 root of the empty tree bytea
WITH made AS (
    INSERT INTO counterfoil.trees (shop_id, size, root) VALUES ($1, 0, $4)
    ON CONFLICT (shop_id) DO NOTHING
    RETURNING size, root
), tree AS (
    SELECT size, root FROM made
    UNION ALL
    SELECT t.size, t.root FROM counterfoil.trees AS t WHERE t.shop_id = $1 AND NOT EXISTS (SELECT FROM made)
), led AS (
    UPDATE counterfoil.checkpoints AS c SET position = tree.size - 1
    FROM tree
    WHERE c.shop_id = $1 AND c.consumer = $2 AND c.epoch = $3
    RETURNING c.shop_id
)
SELECT tree.size, tree.root FROM tree, led;
