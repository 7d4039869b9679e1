-- acquire_lease
-- Takes a lease that is free, and raises the epoch: whoever had it can write no more. Waits for nobody: where somebody
-- has the row, no row comes back. One whose last sign of life is further ahead than it lasts is of a clock that went back
-- since: it would be waited for as long as that.
-- $1 shop_id text
-- $2 consumer text
-- $3 holder text
-- $4 lease_ms bigint
WITH free AS (
    SELECT c.shop_id, c.consumer
    FROM counterfoil.checkpoints AS c
    WHERE c.shop_id = $1 AND c.consumer = $2
        AND (
            c.lease_expires_at IS NULL OR c.lease_expires_at < statement_timestamp()
            OR c.heartbeat_at - statement_timestamp() > c.lease_expires_at - c.heartbeat_at
        )
    FOR NO KEY UPDATE SKIP LOCKED
),
taken AS (
    UPDATE counterfoil.checkpoints AS c
    SET epoch = c.epoch + 1, lease_holder = $3,
        lease_expires_at = statement_timestamp() + $4::bigint * interval '1 ms', heartbeat_at = statement_timestamp()
    FROM free
    WHERE c.shop_id = $1 AND c.consumer = $2 AND c.shop_id = free.shop_id AND c.consumer = free.consumer
    RETURNING c.epoch, c.position
),
made AS (
    INSERT INTO counterfoil.checkpoints (shop_id, consumer, epoch, lease_holder, lease_expires_at, heartbeat_at)
    SELECT s.shop_id, $2, 1, $3, statement_timestamp() + $4::bigint * interval '1 ms', statement_timestamp()
    FROM counterfoil.shops AS s
    WHERE s.shop_id = $1 AND NOT EXISTS (SELECT FROM counterfoil.checkpoints AS c WHERE c.shop_id = $1 AND c.consumer = $2)
    ON CONFLICT (shop_id, consumer) DO NOTHING
    RETURNING epoch, position
)
SELECT epoch, position FROM taken
UNION ALL
SELECT epoch, position FROM made;
