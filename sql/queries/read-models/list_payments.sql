-- list_payments
-- $1 shop_id text
-- $2 after_kind text, $3 after_id text: the last payment of the page before
-- $4 standing text, $5 state text, $6 kind text, $7 order_id text: null takes every one
-- $8 row_limit bigint
SELECT
    t.id_kind, t.id, t.kind, t.state, t.standing, t.order_id, t.other_order_id, t.assigned,
    t.paypal_order_id, t.authorization_id, array_to_string(t.captures, E'\n') AS captures,
    t.amount_minor, t.currency, t.fee_minor, t.net_minor, t.payee, t.is_final, t.outcome,
    t.position, t.at
FROM counterfoil.payments AS t
WHERE t.shop_id = $1
    AND (t.id_kind, t.id) > ($2::text, $3::text)
    AND ($4::text IS NULL OR t.standing = $4)
    AND ($5::text IS NULL OR t.state = $5)
    AND ($6::text IS NULL OR t.kind = $6)
    AND ($7::text IS NULL OR t.order_id = $7)
ORDER BY t.id_kind, t.id
LIMIT $8::bigint;
