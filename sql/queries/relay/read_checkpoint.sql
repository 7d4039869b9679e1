-- read_checkpoint
-- $1 shop_id text
-- $2 consumer text
SELECT position, epoch FROM counterfoil.checkpoints WHERE shop_id = $1 AND consumer = $2;
