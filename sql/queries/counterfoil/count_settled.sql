-- count_settled
-- $1 shop_id text
-- $2 after bigint
-- What a bench's load must have left behind a position of a large log: orders that became paid, callbacks with their evidence.
SELECT (SELECT count(*) FROM counterfoil.events WHERE shop_id = $1 AND position > $2 AND type = 'order.paid') AS paid,
    (SELECT count(*) FROM counterfoil.evidence WHERE shop_id = $1 AND position > $2) AS evidence;
