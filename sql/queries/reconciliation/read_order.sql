-- read_order
-- By which ids PayPal knows an order; no row where there is no such order.
-- $1 shop_id text
-- $2 order_id text
SELECT o.state, array(
    SELECT o.paypal_order_id WHERE o.paypal_order_id IS NOT NULL
    UNION
    SELECT p.id FROM counterfoil.payments AS p
    WHERE p.shop_id = $1 AND p.order_id = $2 AND p.kind = 'paypal_order'
    ORDER BY 1
    LIMIT 4
) AS paypal_orders
FROM counterfoil.orders AS o
WHERE o.shop_id = $1 AND o.order_id = $2;
