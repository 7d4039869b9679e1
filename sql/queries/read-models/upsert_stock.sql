-- upsert_stock
-- $1 shop_id text
-- $2 sku text[]
-- $3 received bigint[]
-- $4 adjusted bigint[]
-- $5 settled bigint[]
-- $6 returned bigint[]
-- $7 held bigint[]
-- $8 position bigint[]
INSERT INTO counterfoil.stock (
    shop_id, sku, received, adjusted, settled, returned, held, position
)
SELECT
    s.shop_id, r.sku, r.received, r.adjusted, r.settled, r.returned, r.held, r.position
FROM counterfoil.shops AS s CROSS JOIN (
    SELECT unnest($2::text[]) AS sku, unnest($3::bigint[]) AS received, unnest($4::bigint[]) AS adjusted,
        unnest($5::bigint[]) AS settled, unnest($6::bigint[]) AS returned, unnest($7::bigint[]) AS held,
        unnest($8::bigint[]) AS position
) AS r
WHERE s.shop_id = $1
ON CONFLICT (shop_id, sku) DO UPDATE SET
    received = excluded.received, adjusted = excluded.adjusted, settled = excluded.settled,
    returned = excluded.returned, held = excluded.held, position = excluded.position;
