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
    $1, r.sku, r.received, r.adjusted, r.settled, r.returned, r.held, r.position
FROM unnest(
    $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[]
) AS r (
    sku, received, adjusted, settled, returned, held, position
)
ORDER BY r.sku COLLATE "C"
ON CONFLICT (shop_id, sku) DO UPDATE SET
    received = excluded.received, adjusted = excluded.adjusted, settled = excluded.settled,
    returned = excluded.returned, held = excluded.held, position = excluded.position;
