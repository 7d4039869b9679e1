-- set_sink_health
-- Told by whoever leads it. No error: it is well.
-- $1 shop_id text
-- $2 name text
-- $3 error text
UPDATE counterfoil.sinks
SET error = $3,
    failing_since = CASE WHEN $3::text IS NULL THEN NULL ELSE coalesce(failing_since, clock_timestamp()) END
WHERE shop_id = $1 AND name = $2;
