-- load_waiting
-- $1 shop_id text
-- $2 sink text
-- $3 limit bigint
SELECT position, key, attempts,
    greatest(0, (extract(epoch FROM next_at - clock_timestamp()) * 1000)::bigint) AS in_ms
FROM counterfoil.undelivered
WHERE shop_id = $1 AND sink = $2 AND state = 'waiting'
ORDER BY position
LIMIT $3;
