-- set_sink_health
-- Told by whoever leads it. No error: it is well.
-- $1 shop_id text
-- $2 name text
-- $3 error text
WITH clock AS (SELECT statement_timestamp() AS now)
UPDATE counterfoil.sinks AS s
SET error = $3, failing_since = CASE WHEN $3::text IS NOT NULL THEN coalesce(s.failing_since, clock.now) END
FROM clock
WHERE s.shop_id = $1 AND s.name = $2;
