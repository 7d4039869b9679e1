-- read_progress
-- $1 shop_id text
-- $2 consumer text
-- How far the shop is decided; the bench asks a thousand times a second.
SELECT position FROM counterfoil.checkpoints WHERE shop_id = $1 AND consumer = $2;
