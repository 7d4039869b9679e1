-- list_shops
-- Every shop, how far it has been decided, whether its lease may be taken, by the database's clock, and who has the
-- lease to be its next leader.
-- $1 consumer text
SELECT s.shop_id, coalesce(c.position, -1) AS position, c.lease_holder,
    (
        c.lease_expires_at IS NULL OR c.lease_expires_at < clock_timestamp()
        OR c.heartbeat_at - clock_timestamp() > c.lease_expires_at - c.heartbeat_at
    ) AS is_free,
    CASE
        WHEN n.lease_expires_at >= clock_timestamp()
            AND n.heartbeat_at - clock_timestamp() <= n.lease_expires_at - n.heartbeat_at
            THEN n.lease_holder
    END AS next
FROM counterfoil.shops AS s
LEFT JOIN counterfoil.checkpoints AS c ON c.shop_id = s.shop_id AND c.consumer = $1
LEFT JOIN counterfoil.checkpoints AS n ON n.shop_id = s.shop_id AND n.consumer = $1 || ':next'
ORDER BY s.shop_id;
