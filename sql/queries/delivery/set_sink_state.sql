-- set_sink_state
-- $1 shop_id text
-- $2 name text
-- $3 state text
-- $4 reason text
UPDATE counterfoil.sinks
SET state = $3, reason = $4, version = version + 1,
    failing_since = CASE WHEN $3 = 'running' THEN NULL ELSE failing_since END,
    error = CASE WHEN $3 = 'running' THEN NULL ELSE error END
WHERE shop_id = $1 AND name = $2
RETURNING name;
