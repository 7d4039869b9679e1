-- make_checkpoint
-- $1 shop text
-- $2 consumer text
INSERT INTO counterfoil.checkpoints (shop_id, consumer) VALUES ($1, $2) ON CONFLICT (shop_id, consumer) DO NOTHING
