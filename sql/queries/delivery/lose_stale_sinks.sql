-- lose_stale_sinks
-- The same of sinks: paused, disabled, or failing for so long.
-- $1 shop_id text
-- $2 before bigint
-- $3 lost_after_ms bigint
UPDATE counterfoil.sinks AS s
SET state = 'lost', version = s.version + 1,
    reason = 'nothing was delivered for so long that the outbox waits for it no longer: reset it'
FROM counterfoil.checkpoints AS c
WHERE s.shop_id = $1 AND s.state <> 'lost' AND c.shop_id = $1 AND c.consumer = 'sink:' || s.name AND c.position < $2
    AND greatest(s.created_at, c.progressed_at) < statement_timestamp() - $3::bigint * interval '1 ms'
RETURNING s.name, c.position;
