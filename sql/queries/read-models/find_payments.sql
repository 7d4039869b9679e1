-- find_payments
-- What PayPal knows by this id: a capture, a refund, an authorisation, a dispute, or all that belongs to one of its orders.
-- $1 shop_id text
-- $2 id text
SELECT
    t.id_kind, t.id, t.kind, t.state, t.standing, t.order_id, t.other_order_id, t.assigned,
    t.paypal_order_id, t.authorization_id, array_to_string(t.captures, E'\n') AS captures,
    t.amount_minor, t.currency, t.fee_minor, t.net_minor, t.payee, t.is_final, t.outcome,
    t.position, t.at
FROM unnest(ARRAY['capture', 'refund', 'authorization', 'paypal_order', 'dispute']) AS k (id_kind)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.payments AS t WHERE t.shop_id = $1 AND t.id_kind = k.id_kind AND t.id = $2 OFFSET 0
) AS t
UNION ALL
(SELECT
    t.id_kind, t.id, t.kind, t.state, t.standing, t.order_id, t.other_order_id, t.assigned,
    t.paypal_order_id, t.authorization_id, array_to_string(t.captures, E'\n') AS captures,
    t.amount_minor, t.currency, t.fee_minor, t.net_minor, t.payee, t.is_final, t.outcome,
    t.position, t.at
FROM counterfoil.payments AS t
WHERE t.shop_id = $1 AND t.paypal_order_id = $2 AND t.kind <> 'paypal_order'
ORDER BY t.id_kind, t.id
LIMIT 100)
