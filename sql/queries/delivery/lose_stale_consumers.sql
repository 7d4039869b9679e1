-- lose_stale_consumers
-- Those that have not moved for so long, though there was something to move for, and hold up the pruning.
-- $1 shop_id text
-- $2 before bigint
-- $3 lost_after_ms bigint
UPDATE counterfoil.consumers SET lost_at = statement_timestamp()
WHERE shop_id = $1 AND lost_at IS NULL AND position < $2
    AND moved_at < statement_timestamp() - $3::bigint * interval '1 ms'
RETURNING name, position;
