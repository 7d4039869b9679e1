-- read_heads
-- $1 shop ids text[]
SELECT s.shop_id, e.position
FROM counterfoil.shops AS s
CROSS JOIN LATERAL (
    SELECT position FROM counterfoil.events AS e WHERE e.shop_id = s.shop_id ORDER BY position DESC LIMIT 1
) AS e
WHERE s.shop_id = ANY ($1);
