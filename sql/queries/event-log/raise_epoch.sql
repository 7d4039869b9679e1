-- raise_epoch
-- Cursors of the epoch before are told where it ended.
-- $1 shop text
-- $2 epoch integer
-- $3 forked at bigint
WITH forked AS (
    INSERT INTO counterfoil.forks (shop_id, epoch, forked_at) VALUES ($1, $2, $3)
)
UPDATE counterfoil.shops SET feed_epoch = $2 WHERE shop_id = $1
