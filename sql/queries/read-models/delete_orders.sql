-- delete_orders
-- Rows that the log says nothing of; only a rebuild removes any.
-- $1 shop_id text
-- $2 order_id text[]
DELETE FROM counterfoil.orders AS t USING unnest($2::text[]) AS k (order_id) WHERE t.shop_id = $1 AND t.order_id = k.order_id;
