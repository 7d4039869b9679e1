-- list_heartbeats
-- Whoever leads something of a shop, and for how long he was not heard of, by the database's clock.
SELECT c.shop_id, c.consumer, (extract(epoch FROM clock_timestamp() - c.heartbeat_at) * 1000)::bigint AS age_ms
FROM counterfoil.checkpoints AS c
WHERE c.lease_holder IS NOT NULL AND c.heartbeat_at IS NOT NULL AND c.consumer NOT LIKE '%:next'
ORDER BY c.shop_id, c.consumer
LIMIT 2000;
