-- lock_checkpoint
-- $1 shop text
-- $2 consumer text
SELECT position FROM counterfoil.checkpoints WHERE shop_id = $1 AND consumer = $2 FOR NO KEY UPDATE
