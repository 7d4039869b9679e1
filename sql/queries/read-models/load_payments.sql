-- load_payments
-- $1 shop_id text
-- $2 id_kind text[]
-- $3 id text[]
SELECT
    t.id_kind, t.id, t.kind, t.state, t.standing, t.order_id, t.other_order_id, t.assigned,
    t.paypal_order_id, t.authorization_id, array_to_string(t.captures, E'\n') AS captures,
    t.amount_minor, t.currency, t.fee_minor, t.net_minor, t.payee, t.is_final, t.outcome,
    t.position, t.at
FROM unnest($2::text[], $3::text[]) AS k (id_kind, id)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.payments AS t WHERE t.shop_id = $1 AND t.id_kind = k.id_kind AND t.id = k.id OFFSET 0
) AS t;
