-- find_position
-- $1 shop_id text
-- $2 id uuid
SELECT position FROM counterfoil.outbox WHERE id = $2 AND shop_id = $1;
