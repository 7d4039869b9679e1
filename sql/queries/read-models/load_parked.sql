-- load_parked
-- $1 shop_id text
-- $2 position bigint[]
SELECT t.position, t.group_position
FROM unnest($2::bigint[]) AS k (position)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.parked AS t WHERE t.shop_id = $1 AND t.position = k.position OFFSET 0
) AS t;
