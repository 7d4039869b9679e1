-- load_parked
-- Each is taken as the first from its position on: an empty table has another index that looks as good for one position,
-- and goes through all of a shop's.
-- $1 shop_id text
-- $2 position bigint[]
SELECT t.position, t.group_position
FROM unnest($2::bigint[]) AS k (position)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.parked AS t WHERE t.shop_id = $1 AND t.position >= k.position ORDER BY t.position LIMIT 1
) AS t
WHERE t.position = k.position;
