-- list_consumers
-- Each with what it has before it. The name narrows it to one.
-- $1 shop_id text
-- $2 name text (null: all)
SELECT c.name, c.epoch, c.position, c.created_at, c.moved_at, c.lost_at, h.head,
    (extract(epoch FROM clock_timestamp() - n.at) * 1000)::bigint AS lag_ms
FROM counterfoil.consumers AS c
CROSS JOIN LATERAL (
    SELECT coalesce((
        SELECT e.position FROM counterfoil.events AS e WHERE e.shop_id = $1 ORDER BY e.position DESC LIMIT 1
    ), -1) AS head
) AS h
LEFT JOIN LATERAL (
    SELECT e.at FROM counterfoil.events AS e
    WHERE e.shop_id = $1 AND e.position > c.position ORDER BY e.position LIMIT 1
) AS n ON true
WHERE c.shop_id = $1 AND ($2::text IS NULL OR c.name = $2)
ORDER BY c.name;
