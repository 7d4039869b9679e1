-- seed_checkpoint
-- $1 shop_id text
-- $2 consumer text
-- $3 position bigint
INSERT INTO counterfoil.checkpoints (shop_id, consumer, position) VALUES ($1, $2, $3);
