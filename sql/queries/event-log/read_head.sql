-- read_head
-- $1 shop text
SELECT position, at FROM counterfoil.events WHERE shop_id = $1 ORDER BY position DESC LIMIT 1
