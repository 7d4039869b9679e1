-- load_parked_groups
-- Groups with their members and the members' facts, which are decided again. Each fact is taken as the first from its
-- position on: an empty log has another index that looks as good for one position, and goes through all of a shop's keys.
-- $1 shop_id text
-- $2 group_position bigint[]
SELECT g.group_position, g.attempts, g.error AS group_error, g.failed_at, m.position,
    array_to_string(m.keys, E'\n') AS keys, m.error, m.parked_at, e.key, e.at, e.entry
FROM unnest($2::bigint[]) AS k (group_position)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.parked_groups AS g WHERE g.shop_id = $1 AND g.group_position = k.group_position OFFSET 0
) AS g
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.parked AS m WHERE m.shop_id = $1 AND m.group_position = k.group_position OFFSET 0
) AS m
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.events AS e WHERE e.shop_id = $1 AND e.position >= m.position ORDER BY e.position LIMIT 1
) AS e
WHERE e.position = m.position
ORDER BY g.group_position, m.position;
