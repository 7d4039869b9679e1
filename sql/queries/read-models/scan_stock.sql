-- scan_stock
-- Every row of a shop, to be compared with what replay makes.
-- $1 shop_id text
SELECT
    t.sku, t.received, t.adjusted, t.settled, t.returned, t.held, t.position
FROM counterfoil.stock AS t
WHERE t.shop_id = $1
ORDER BY t.sku;
