-- read_health
-- $1 consumer text
SELECT s.shop_id, coalesce(c.position, -1) AS position, coalesce(h.position, -1) AS head, c.lease_holder,
    coalesce(c.lease_expires_at > clock_timestamp(), false) AS is_led,
    (extract(epoch FROM clock_timestamp() - c.heartbeat_at) * 1000)::bigint AS heartbeat_age_ms,
    f.at AS oldest_undecided_at
FROM counterfoil.shops AS s
LEFT JOIN counterfoil.checkpoints AS c ON c.shop_id = s.shop_id AND c.consumer = $1
LEFT JOIN LATERAL (
    SELECT e.position FROM counterfoil.events AS e
    WHERE e.shop_id = s.shop_id ORDER BY e.position DESC LIMIT 1
) AS h ON true
LEFT JOIN LATERAL (
    SELECT e.at FROM counterfoil.events AS e
    WHERE e.shop_id = s.shop_id AND e.position > coalesce(c.position, -1) AND e.kind = 'fact'
    ORDER BY e.position LIMIT 1
) AS f ON true
ORDER BY s.shop_id;
