-- list_sinks
-- Each with where it stands. The name narrows it to one.
-- $1 shop_id text
-- $2 name text (null: all)
SELECT s.shop_id, s.name, s.kind, s.settings::text AS settings, s.secrets, s.kek_id, s.state, s.reason, s.version,
    s.created_at, s.failing_since, s.error, coalesce(c.position, -1) AS position, coalesce(h.position, -1) AS head, c.lease_holder,
    coalesce(c.lease_expires_at > clock_timestamp(), false) AS is_led,
    (extract(epoch FROM clock_timestamp() - n.at) * 1000)::bigint AS lag_ms,
    u.waiting, u.dead
FROM counterfoil.sinks AS s
LEFT JOIN counterfoil.checkpoints AS c ON c.shop_id = s.shop_id AND c.consumer = 'sink:' || s.name
LEFT JOIN LATERAL (
    SELECT e.position FROM counterfoil.events AS e WHERE e.shop_id = $1 ORDER BY e.position DESC LIMIT 1
) AS h ON true
LEFT JOIN LATERAL (
    SELECT e.at FROM counterfoil.events AS e
    WHERE e.shop_id = $1 AND e.position > coalesce(c.position, -1) ORDER BY e.position LIMIT 1
) AS n ON true
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE u.state = 'waiting') AS waiting, count(*) FILTER (WHERE u.state = 'dead') AS dead
    FROM counterfoil.undelivered AS u WHERE u.shop_id = $1 AND u.sink = s.name
) AS u
WHERE s.shop_id = $1 AND ($2::text IS NULL OR s.name = $2)
ORDER BY s.name;
