-- list_orders
-- $1 shop_id text
-- $2 after text: the last order id of the page before
-- $3 state text: null takes every state
-- $4 fulfilment text: null takes every fulfilment
-- $5 flag text: null takes orders with any flags
-- $6 row_limit bigint
SELECT
    t.order_id, t.currency, t.total_minor, t.state, t.fulfilment, t.reasons::text AS reasons,
    t.refusals::text AS refusals, array_to_string(t.flags, E'\n') AS flags, t.captured_minor,
    t.refunded_minor, t.reversed_minor, t.refund_due_minor, t.held_until, t.paid_at,
    t.points_revoked, array_to_string(t.given_back, E'\n') AS given_back, t.shipped::text AS shipped,
    t.position, t.at, t.revision, t.buyer_id, t.lines::text AS lines, t.coupons::text AS coupons,
    t.points::text AS points, t.paypal_order_id, t.ship_to,
    array_to_string(t.tracks, E'\n') AS tracks, t.hold_s, t.placed_at
FROM counterfoil.orders AS t
WHERE t.shop_id = $1
    AND t.order_id > $2::text
    AND ($3::text IS NULL OR t.state = $3)
    AND ($4::text IS NULL OR t.fulfilment = $4)
    AND ($5::text IS NULL OR $5 = ANY (t.flags))
ORDER BY t.order_id
LIMIT $6::bigint;
