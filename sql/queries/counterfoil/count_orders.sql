-- count_orders
-- $1 shop_id text
-- What a bench's load must have left: orders that wait for money, orders that are paid, every callback once.
SELECT (SELECT count(*) FROM counterfoil.orders WHERE shop_id = $1 AND state = 'open') AS open,
    (SELECT count(*) FROM counterfoil.orders WHERE shop_id = $1 AND state = 'paid') AS paid,
    (SELECT count(*) FROM counterfoil.callbacks WHERE shop_id = $1) AS callbacks,
    (SELECT count(*) FROM counterfoil.evidence AS e
        JOIN counterfoil.callbacks AS c ON c.shop_id = e.shop_id AND c.position = e.position
        WHERE e.shop_id = $1) AS evidence;
