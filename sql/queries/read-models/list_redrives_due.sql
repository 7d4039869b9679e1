-- list_redrives_due
-- Parked groups whose next attempt is due. The schedule bounds the attempts: behind its end there is no interval.
-- $1 shop_id text
-- $2 seconds bigint[]: how long to wait after the first failure, the second, ..
-- $3 row_limit bigint
SELECT min(m.position) AS of, g.attempts, g.failed_at
FROM counterfoil.parked_groups AS g
JOIN counterfoil.parked AS m ON m.shop_id = $1 AND m.group_position = g.group_position
WHERE g.shop_id = $1
    AND g.failed_at + make_interval(secs => ($2::bigint[])[g.attempts + 1]) <= clock_timestamp()
GROUP BY g.group_position, g.attempts, g.failed_at
ORDER BY g.group_position
LIMIT $3::bigint;
