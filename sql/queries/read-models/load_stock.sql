-- load_stock
-- $1 shop_id text
-- $2 sku text[]
SELECT
    t.sku, t.received, t.adjusted, t.settled, t.returned, t.held, t.position
FROM unnest($2::text[]) AS k (sku)
JOIN counterfoil.stock AS t ON t.shop_id = $1 AND t.sku = k.sku;
