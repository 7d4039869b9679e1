-- load_orders
-- $1 shop_id text
-- $2 order_id text[]
SELECT
    t.order_id, t.currency, t.total_minor, t.state, t.fulfilment, t.reasons::text AS reasons,
    t.refusals::text AS refusals, array_to_string(t.flags, E'\n') AS flags, t.captured_minor,
    t.refunded_minor, t.reversed_minor, t.refund_due_minor, t.held_until, t.paid_at,
    t.points_revoked, array_to_string(t.given_back, E'\n') AS given_back, t.shipped::text AS shipped,
    t.position, t.at, t.revision, t.buyer_id, t.lines::text AS lines, t.coupons::text AS coupons,
    t.points::text AS points, t.paypal_order_id, t.ship_to,
    array_to_string(t.tracks, E'\n') AS tracks, t.hold_s, t.placed_at
FROM unnest($2::text[]) AS k (order_id)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.orders AS t WHERE t.shop_id = $1 AND t.order_id = k.order_id OFFSET 0
) AS t;
