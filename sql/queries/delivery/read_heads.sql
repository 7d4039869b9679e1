-- read_heads
-- $1 shop ids text[]
SELECT k.shop_id, e.position
FROM unnest($1::text[]) AS k (shop_id)
CROSS JOIN LATERAL (
    SELECT position FROM counterfoil.events AS e WHERE e.shop_id = k.shop_id ORDER BY position DESC LIMIT 1
) AS e;
