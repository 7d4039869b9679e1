-- load_stock
-- $1 shop_id text
-- $2 sku text[]
SELECT
    t.sku, t.received, t.adjusted, t.settled, t.returned, t.held, t.position
FROM unnest($2::text[]) AS k (sku)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.stock AS t WHERE t.shop_id = $1 AND t.sku = k.sku OFFSET 0
) AS t;
