-- load_payments_of_capture
-- $1 shop_id text
-- $2 capture_id text[]
SELECT
    k.capture_id AS of,
    t.id_kind, t.id, t.kind, t.state, t.standing, t.order_id, t.other_order_id, t.assigned,
    t.paypal_order_id, t.authorization_id, array_to_string(t.captures, E'\n') AS captures,
    t.amount_minor, t.currency, t.fee_minor, t.net_minor, t.payee, t.is_final, t.outcome,
    t.position, t.at
FROM unnest($2::text[]) AS k (capture_id)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.payment_captures AS c WHERE c.shop_id = $1 AND c.capture_id = k.capture_id OFFSET 0
) AS c
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.payments AS t WHERE t.shop_id = $1 AND t.id_kind = c.id_kind AND t.id = c.id OFFSET 0
) AS t;
