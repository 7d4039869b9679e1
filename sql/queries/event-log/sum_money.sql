-- sum_money
-- What the facts behind a position say of money, each capture, tender and refund once: in (captured, recorded) and out
-- (refunded, reversed), by currency. The caller sees that the range is short.
-- $1 shop text
-- $2 after bigint
SELECT said.is_out, said.currency, sum(said.minor)::text AS minor, count(*) AS number
FROM (
    SELECT DISTINCT ON (read.is_out, read.id) read.is_out, read.id, read.currency, read.minor
    FROM (
        SELECT e.type IN ('payment.refunded', 'payment.reversed') AS is_out,
            coalesce(d.data->>'refund', d.data->>'capture', d.data->>'provider' || ':' || (d.data->>'payment')) AS id,
            d.data->>'currency' AS currency, (d.data->>'amount_minor')::bigint AS minor
        FROM (
            SELECT f.type, f.entry FROM counterfoil.events AS f
            WHERE f.shop_id = $1 AND f.position > $2 AND f.kind = 'fact'
                AND f.type IN ('payment.captured', 'payment.recorded', 'payment.refunded', 'payment.reversed')
            ORDER BY f.position OFFSET 0
        ) AS e
        CROSS JOIN LATERAL (SELECT e.entry::jsonb->'data' AS data OFFSET 0) AS d
    ) AS read
    ORDER BY read.is_out, read.id
) AS said
GROUP BY said.is_out, said.currency
ORDER BY said.is_out, said.currency
