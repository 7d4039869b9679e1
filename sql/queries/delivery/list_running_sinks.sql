-- list_running_sinks
-- What is to be led, of every shop, and whether it may be taken by this process.
SELECT s.shop_id, s.name, s.version,
    (
        c.lease_expires_at IS NULL OR c.lease_expires_at < clock_timestamp()
        OR c.heartbeat_at - clock_timestamp() > c.lease_expires_at - c.heartbeat_at
    ) AS is_free
FROM counterfoil.sinks AS s
LEFT JOIN counterfoil.checkpoints AS c ON c.shop_id = s.shop_id AND c.consumer = 'sink:' || s.name
WHERE s.state = 'running'
ORDER BY s.shop_id, s.name;
