-- list_replaced
-- $1 shop text
-- $2 model text
-- What the last rebuild of a model replaced, unless it was undone.
SELECT r.rebuild, r.table_name, r.old::text AS old, r.new::text AS new
FROM counterfoil.replaced_rows AS r
WHERE r.shop_id = $1 AND r.undone_at IS NULL AND r.rebuild = (
    SELECT l.rebuild FROM counterfoil.replaced_rows AS l WHERE l.shop_id = $1 AND l.model = $2 ORDER BY l.at DESC LIMIT 1
)
ORDER BY r.n
