-- read_delays
-- At each of some positions: how long the fact of the last outcome before it had waited for that outcome, in microseconds.
-- Outcomes stand soon behind their facts: 500 events back is as good as for ever.
-- $1 shop text
-- $2 positions bigint[]
SELECT k.position, (extract(epoch FROM o.at - f.at) * 1000000)::bigint AS delay_us
FROM unnest($2::bigint[]) AS k (position)
CROSS JOIN LATERAL (
    SELECT e.at, e.cause FROM counterfoil.events AS e
    WHERE e.shop_id = $1 AND e.position <= k.position AND e.position > k.position - 500 AND e.kind = 'outcome'
    ORDER BY e.position DESC LIMIT 1
) AS o
CROSS JOIN LATERAL (
    SELECT e.at FROM counterfoil.events AS e WHERE e.shop_id = $1 AND e.position >= o.cause
    ORDER BY e.position LIMIT 1
) AS f
ORDER BY k.position
