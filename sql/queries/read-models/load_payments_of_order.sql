-- load_payments_of_order
-- $1 shop_id text
-- $2 order_id text[]
SELECT
    k.order_id AS of,
    t.id_kind, t.id, t.kind, t.state, t.standing, t.order_id, t.other_order_id, t.assigned,
    t.paypal_order_id, t.authorization_id, array_to_string(t.captures, E'\n') AS captures,
    t.amount_minor, t.currency, t.fee_minor, t.net_minor, t.payee, t.is_final, t.outcome,
    t.position, t.at
FROM unnest($2::text[]) AS k (order_id)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.payments AS t WHERE t.shop_id = $1 AND t.order_id = k.order_id OFFSET 0
) AS t;
