-- read_tree
-- $1 shop_id text
SELECT t.size, t.root, coalesce(t.published_size, 0) AS published_size
FROM counterfoil.trees AS t
WHERE t.shop_id = $1;
