-- list_due_orders
-- Unpaid orders that are to be looked up at PayPal, where they are known there: when they are so old, again at greater
-- ages, and shortly before their hold ends. Each age is asked for once; those that are older than the last by more than
-- a day are left alone.
-- $1 shop_id text
-- $2 ages_s bigint[]
-- $3 before_end_s bigint
-- $4 row_limit bigint
WITH due AS (
    SELECT o.order_id, o.placed_at, o.paypal_order_id, o.state,
        (
            SELECT max(o.placed_at + age.s * interval '1 s')
            FROM unnest($2::bigint[]) AS age (s)
            WHERE o.placed_at + age.s * interval '1 s' <= statement_timestamp()
        ) AS since
    FROM counterfoil.orders AS o
    WHERE o.shop_id = $1 AND o.paid_at IS NULL
        AND o.placed_at <= statement_timestamp() - ($2::bigint[])[1] * interval '1 s'
        AND o.placed_at > statement_timestamp()
            - ((SELECT max(age.s) FROM unnest($2::bigint[]) AS age (s)) + 86400) * interval '1 s'
    UNION ALL
    SELECT o.order_id, o.placed_at, o.paypal_order_id, o.state, o.held_until - $3::bigint * interval '1 s'
    FROM counterfoil.orders AS o
    WHERE o.shop_id = $1 AND o.paid_at IS NULL
        AND o.held_until <= statement_timestamp() + $3::bigint * interval '1 s'
        AND o.held_until > statement_timestamp() - interval '1 hour'
)
SELECT DISTINCT d.placed_at, d.order_id
FROM due AS d
LEFT JOIN LATERAL (
    SELECT l.looked_up_at FROM counterfoil.order_lookups AS l
    WHERE l.shop_id = $1 AND l.order_id = d.order_id OFFSET 0
) AS l ON true
WHERE d.state IN ('open', 'partially_paid', 'expired')
    AND (l.looked_up_at IS NULL OR l.looked_up_at < d.since)
    AND (
        d.paypal_order_id IS NOT NULL
        OR EXISTS (
            SELECT FROM counterfoil.payments AS p
            WHERE p.shop_id = $1 AND p.order_id = d.order_id AND p.kind = 'paypal_order'
        )
    )
ORDER BY d.placed_at, d.order_id
LIMIT $4::bigint;
