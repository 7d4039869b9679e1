-- load_holders
-- The orders that hold pieces of an article: not those whose stock the shop keeps itself. Each order with a hold is read once, however many
-- articles are asked for, and its articles are looked up in the list. IS TRUE keeps the list hashed: as a join it might be gone through for
-- each of them. Their order is that of the index over holds, which leads PostgreSQL 18 to it also while the table is empty.
-- $1 shop_id text
-- $2 sku text[]
SELECT DISTINCT line.sku, t.order_id
FROM (
    SELECT o.order_id, o.tracks, o.lines
    FROM counterfoil.orders AS o
    WHERE o.shop_id = $1 AND o.held_until IS NOT NULL
    ORDER BY o.held_until
) AS t
CROSS JOIN LATERAL (
    SELECT l ->> 'sku' AS sku FROM jsonb_array_elements(t.lines) AS l OFFSET 0
) AS line
WHERE 'stock' = ANY (t.tracks)
    AND (line.sku IN (SELECT k.sku FROM unnest($2::text[]) AS k (sku))) IS TRUE;
