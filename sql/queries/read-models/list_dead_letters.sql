-- list_dead_letters
-- Parked facts with their groups.
-- $1 shop_id text
-- $2 after bigint: the last position of the page before
-- $3 only bigint: this one; null takes every one
-- $4 row_limit bigint
SELECT m.position, m.group_position, array_to_string(m.keys, E'\n') AS keys, m.error, m.parked_at,
    g.attempts, g.error AS group_error, g.failed_at, e.id, e.type, e.key, e.at, e.entry
FROM counterfoil.parked AS m
JOIN counterfoil.parked_groups AS g ON g.shop_id = $1 AND g.group_position = m.group_position
JOIN counterfoil.events AS e ON e.shop_id = $1 AND e.position = m.position
WHERE m.shop_id = $1 AND m.position > $2 AND ($3::bigint IS NULL OR m.position = $3)
ORDER BY m.position
LIMIT $4::bigint;
