-- load_undelivered
-- What waits, and what else was set aside ahead of the checkpoint.
-- $1 shop_id text
-- $2 sink text
-- $3 checkpoint bigint
-- $4 limit bigint
SELECT position, key, state, attempts,
    greatest(0, (extract(epoch FROM next_at - clock_timestamp()) * 1000)::bigint) AS in_ms
FROM counterfoil.undelivered
WHERE shop_id = $1 AND sink = $2 AND state = 'waiting'
UNION ALL
SELECT position, key, state, attempts, 0 AS in_ms
FROM counterfoil.undelivered
WHERE shop_id = $1 AND sink = $2 AND state = 'dead' AND position > $3
ORDER BY position
LIMIT $4;
