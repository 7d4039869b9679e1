-- list_stamps
-- $1 shop text
SELECT origin, size, at, checkpoint, response FROM counterfoil.stamps WHERE shop_id = $1 ORDER BY at, size
