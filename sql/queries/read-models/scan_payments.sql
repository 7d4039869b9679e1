-- scan_payments
-- Every row of a shop, to be compared with what replay makes.
-- $1 shop_id text
SELECT
    t.id_kind, t.id, t.kind, t.state, t.standing, t.order_id, t.other_order_id, t.assigned,
    t.paypal_order_id, t.authorization_id, array_to_string(t.captures, E'\n') AS captures,
    t.amount_minor, t.currency, t.fee_minor, t.net_minor, t.payee, t.is_final, t.outcome,
    t.position, t.at
FROM counterfoil.payments AS t
WHERE t.shop_id = $1
ORDER BY t.id_kind, t.id;
