-- list_awaiting
-- Captures that PayPal is to be asked about; the index over what is set apart has them.
-- $1 shop_id text
-- $2 after_id text
-- $3 row_limit bigint
SELECT p.id, p.order_id, p.amount_minor, p.currency, p.payee, p.paypal_order_id, p.position,
    o.paypal_order_id AS placed_paypal_order_id, statement_timestamp() - p.at > interval '1 hour' AS is_old
FROM counterfoil.payments AS p
CROSS JOIN LATERAL (
    SELECT t.paypal_order_id FROM counterfoil.orders AS t
    WHERE t.shop_id = $1 AND t.order_id = p.order_id OFFSET 0
) AS o
WHERE p.shop_id = $1 AND p.id_kind = 'capture' AND p.id > $2 AND p.standing <> 'matched' AND p.standing = 'awaiting'
ORDER BY p.id
LIMIT $3::bigint;
