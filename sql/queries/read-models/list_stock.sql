-- list_stock
-- $1 shop_id text
-- $2 after text: the last sku of the page before
-- $3 row_limit bigint
SELECT
    t.sku, t.received, t.adjusted, t.settled, t.returned, t.held, t.position
FROM counterfoil.stock AS t
WHERE t.shop_id = $1 AND t.sku > $2::text
ORDER BY t.sku
LIMIT $3::bigint;
