-- acquire_lease
-- Takes a lease that is free, and raises the epoch: whoever had it can write no more.
-- $1 shop_id text
-- $2 consumer text
-- $3 holder text
-- $4 lease_ms bigint
INSERT INTO counterfoil.checkpoints AS c (shop_id, consumer, epoch, lease_holder, lease_expires_at, heartbeat_at)
VALUES ($1, $2, 1, $3, clock_timestamp() + $4::bigint * interval '1 ms', clock_timestamp())
ON CONFLICT (shop_id, consumer) DO UPDATE SET
    epoch = c.epoch + 1, lease_holder = excluded.lease_holder,
    lease_expires_at = clock_timestamp() + $4::bigint * interval '1 ms', heartbeat_at = clock_timestamp()
WHERE c.lease_expires_at IS NULL OR c.lease_expires_at < clock_timestamp()
RETURNING c.epoch, c.position;
