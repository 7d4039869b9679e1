-- set_sink_health
-- Told by whoever leads it, behind its fence: one who was overtaken has nothing to say any more, and who overtakes it waits for
-- what it is about to say. No error: it is well.
-- $1 shop_id text
-- $2 name text
-- $3 epoch bigint
-- $4 error text
WITH led AS (
    SELECT c.shop_id, statement_timestamp() AS now FROM counterfoil.checkpoints AS c
    WHERE c.shop_id = $1 AND c.consumer = 'sink:' || $2 AND c.epoch = $3
    FOR SHARE
)
UPDATE counterfoil.sinks AS s
SET error = $4, failing_since = CASE WHEN $4::text IS NOT NULL THEN coalesce(s.failing_since, led.now) END
FROM led
WHERE s.shop_id = led.shop_id AND s.shop_id = $1 AND s.name = $2;
