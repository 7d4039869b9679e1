-- find_reimported
-- $1 shop text
-- $2 ids uuid[]
SELECT r.id, r.position, e.entry
FROM unnest($2::uuid[]) AS asked (id)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.reimported AS r WHERE r.shop_id = $1 AND r.id = asked.id OFFSET 0
) AS r
CROSS JOIN LATERAL (
    SELECT e.entry FROM counterfoil.events AS e
    WHERE e.shop_id = $1 AND e.position >= r.position ORDER BY e.position LIMIT 1
) AS e
