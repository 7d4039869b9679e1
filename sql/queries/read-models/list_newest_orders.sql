-- list_newest_orders
-- As they came, the newest first: each stands at the one outcome that made it. It is read from the end of the log, for an index over the
-- orders by time would have to be written with every change of one. What hardly comes is looked for no further back than $3.
-- $1 shop_id text
-- $2 before bigint: the position of the last order of the page before
-- $3 floor bigint: nothing before this position
-- $4 state text: null takes every state
-- $5 fulfilment text: null takes every fulfilment
-- $6 flag text: null takes orders with any flags
-- $7 row_limit bigint
SELECT
    t.order_id, t.currency, t.total_minor, t.state, t.fulfilment, t.reasons::text AS reasons,
    t.refusals::text AS refusals, array_to_string(t.flags, E'\n') AS flags, t.captured_minor,
    t.refunded_minor, t.reversed_minor, t.refund_due_minor, t.held_until, t.paid_at,
    t.points_revoked, array_to_string(t.given_back, E'\n') AS given_back, t.shipped::text AS shipped,
    t.position, t.at, t.revision, t.buyer_id, t.lines::text AS lines, t.coupons::text AS coupons,
    t.points::text AS points, t.paypal_order_id, t.ship_to,
    array_to_string(t.tracks, E'\n') AS tracks, t.hold_s, t.placed_at, e.position AS made_at
FROM (
    SELECT position, substr(key, 7) AS order_id
    FROM counterfoil.events
    WHERE shop_id = $1 AND position < $2::bigint AND position >= $3::bigint
        AND kind = 'outcome' AND type IN ('order.placed', 'order.refused', 'order.imported')
    ORDER BY position DESC
) AS e
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.orders AS t WHERE t.shop_id = $1 AND t.order_id = e.order_id OFFSET 0
) AS t
WHERE ($4::text IS NULL OR t.state = $4)
    AND ($5::text IS NULL OR t.fulfilment = $5)
    AND ($6::text IS NULL OR $6 = ANY (t.flags))
ORDER BY e.position DESC
LIMIT $7::bigint;
