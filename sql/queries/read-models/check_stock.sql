-- check_stock
-- On hand is not negative; held is the sum of the open holds; settled is the sum of the paid orders.
-- $1 shop_id text
WITH pieces AS (
    SELECT l ->> 'sku' AS sku,
        sum((l ->> 'qty')::bigint) FILTER (WHERE o.held_until IS NOT NULL) AS held,
        sum((l ->> 'qty')::bigint) FILTER (WHERE o.paid_at IS NOT NULL) AS settled
    FROM counterfoil.orders AS o
    CROSS JOIN LATERAL jsonb_array_elements(o.lines) AS l
    WHERE o.shop_id = $1 AND 'stock' = ANY (o.tracks)
    GROUP BY l ->> 'sku'
), figures AS (
    SELECT coalesce(s.sku, p.sku) AS sku,
        coalesce(s.received + s.adjusted - s.settled + s.returned, 0) AS on_hand,
        coalesce(s.held, 0) AS held, coalesce(p.held, 0) AS open_holds,
        coalesce(s.settled, 0) AS settled, coalesce(p.settled, 0) AS paid
    FROM (SELECT * FROM counterfoil.stock WHERE shop_id = $1) AS s
    FULL JOIN pieces AS p ON p.sku = s.sku
)
SELECT f.sku AS subject,
    format('on hand %s, held %s, open holds %s, settled %s, in paid orders %s',
        f.on_hand, f.held, f.open_holds, f.settled, f.paid) AS detail
FROM figures AS f
WHERE f.on_hand < 0 OR f.held <> f.open_holds OR f.settled <> f.paid
ORDER BY f.sku;
