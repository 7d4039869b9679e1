-- read_log
-- $1 shop text
-- $2 after bigint
-- $3 limit bigint
-- Everything, in order: what the relay and a replay read.
SELECT position, entry FROM counterfoil.events WHERE shop_id = $1 AND position > $2 ORDER BY position LIMIT $3
