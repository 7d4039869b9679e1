-- list_readers
-- Every sink and consumer of every shop, with what it has before it: for whoever watches.
SELECT r.shop_id, r.kind, r.name, r.state, r.error, r.waiting, r.dead,
    coalesce((extract(epoch FROM clock_timestamp() - r.dead_since) * 1000)::bigint, 0) AS dead_ms,
    greatest(h.position - r.position, 0) AS lag_events,
    coalesce((extract(epoch FROM clock_timestamp() - n.at) * 1000)::bigint, 0) AS lag_ms
FROM (
    SELECT c.shop_id, 'consumer' AS kind, c.name, c.position,
        CASE WHEN c.lost_at IS NULL THEN 'running' ELSE 'lost' END AS state,
        NULL::text AS error, 0::bigint AS waiting, 0::bigint AS dead, NULL::timestamptz AS dead_since
    FROM counterfoil.consumers AS c
    UNION ALL
    SELECT s.shop_id, s.kind, s.name, coalesce(c.position, -1),
        CASE WHEN s.state = 'running' AND s.failing_since IS NOT NULL THEN 'failing' ELSE s.state END,
        coalesce(s.error, s.reason), coalesce(u.waiting, 0), coalesce(u.dead, 0), u.dead_since
    FROM counterfoil.sinks AS s
    LEFT JOIN counterfoil.checkpoints AS c ON c.shop_id = s.shop_id AND c.consumer = 'sink:' || s.name
    LEFT JOIN (
        SELECT shop_id, sink, count(*) FILTER (WHERE state = 'waiting') AS waiting,
            count(*) FILTER (WHERE state = 'dead') AS dead, min(since) FILTER (WHERE state = 'dead') AS dead_since
        FROM counterfoil.undelivered GROUP BY shop_id, sink
    ) AS u ON u.shop_id = s.shop_id AND u.sink = s.name
) AS r
LEFT JOIN LATERAL (
    SELECT e.position FROM counterfoil.events AS e WHERE e.shop_id = r.shop_id ORDER BY e.position DESC LIMIT 1
) AS h ON true
LEFT JOIN LATERAL (
    SELECT e.at FROM counterfoil.events AS e
    WHERE e.shop_id = r.shop_id AND e.position > r.position ORDER BY e.position LIMIT 1
) AS n ON true
ORDER BY r.shop_id, r.kind, r.name
LIMIT 1000;
