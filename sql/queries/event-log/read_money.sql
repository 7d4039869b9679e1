-- read_money
-- What the facts of a range say of money, in the order of the log: in (captured, recorded) and out (refunded, reversed). The same
-- payment may be said more than once. The caller sees that the range is short.
-- $1 shop text
-- $2 after bigint
-- $3 through bigint
SELECT read.is_out, read.id, read.currency, read.minor
FROM (
    SELECT e.position, e.type IN ('payment.refunded', 'payment.reversed') AS is_out,
        coalesce(d.data->>'refund', d.data->>'capture', d.data->>'provider' || ':' || (d.data->>'payment')) AS id,
        d.data->>'currency' AS currency, (d.data->>'amount_minor')::bigint AS minor
    FROM (
        SELECT f.position, f.type, f.entry FROM counterfoil.events AS f
        WHERE f.shop_id = $1 AND f.position > $2 AND f.position <= $3 AND f.kind = 'fact'
            AND f.type IN ('payment.captured', 'payment.recorded', 'payment.refunded', 'payment.reversed')
        ORDER BY f.position OFFSET 0
    ) AS e
    CROSS JOIN LATERAL (SELECT e.entry::jsonb->'data' AS data OFFSET 0) AS d
) AS read
WHERE read.id IS NOT NULL AND read.currency IS NOT NULL AND read.minor IS NOT NULL
ORDER BY read.position
