-- load_parked_groups
-- Groups with their members and the members' facts, which are decided again.
-- $1 shop_id text
-- $2 group_position bigint[]
SELECT g.group_position, g.attempts, g.error AS group_error, g.failed_at, m.position,
    array_to_string(m.keys, E'\n') AS keys, m.error, m.parked_at, e.key, e.at, e.entry
FROM unnest($2::bigint[]) AS k (group_position)
JOIN counterfoil.parked_groups AS g ON g.shop_id = $1 AND g.group_position = k.group_position
JOIN counterfoil.parked AS m ON m.shop_id = $1 AND m.group_position = g.group_position
JOIN counterfoil.events AS e ON e.shop_id = $1 AND e.position = m.position
ORDER BY g.group_position, m.position;
