-- read_events_at
-- $1 shop text
-- $2 positions bigint[]
SELECT position, entry, traceparent FROM counterfoil.events WHERE shop_id = $1 AND position = ANY ($2) ORDER BY position
