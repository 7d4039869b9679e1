-- set_tree_error
-- Says why the tree does not grow.
-- $1 shop_id text
-- $2 root of the empty tree bytea
-- $3 error text
INSERT INTO counterfoil.trees AS t (shop_id, size, root, error) VALUES ($1, 0, $2, $3)
ON CONFLICT (shop_id) DO UPDATE SET error = excluded.error
WHERE t.error IS DISTINCT FROM excluded.error;
