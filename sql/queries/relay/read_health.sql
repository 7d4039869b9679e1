-- read_health
-- How each shop's facts are getting on; every age is by the database's clock. Programs of before 0003 move checkpoints
-- without progressed_at: then the last outcome, which stands near the head while somebody decides, tells of progress.
-- $1 consumer text
SELECT s.shop_id, coalesce(c.position, -1) AS position, coalesce(h.position, -1) AS head, c.lease_holder,
    coalesce(c.epoch, 0) AS epoch,
    coalesce(c.lease_expires_at > clock_timestamp(), false) AS is_led,
    (extract(epoch FROM clock_timestamp() - c.heartbeat_at) * 1000)::bigint AS heartbeat_age_ms,
    (extract(epoch FROM clock_timestamp() - greatest(c.progressed_at, o.at)) * 1000)::bigint AS progress_age_ms,
    (extract(epoch FROM clock_timestamp() - f.at) * 1000)::bigint AS undecided_age_ms
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
LEFT JOIN LATERAL (
    SELECT e.at FROM counterfoil.events AS e
    WHERE e.shop_id = s.shop_id AND e.position > h.position - 1000 AND e.kind = 'outcome'
    ORDER BY e.position DESC LIMIT 1
) AS o ON true
ORDER BY s.shop_id;
