-- reset_sink
-- Elsewhere it begins anew: whoever leads it is fenced off, and what was set aside is forgotten, but for the dead letters that
-- it does not come by again.
-- $1 shop_id text
-- $2 name text
-- $3 position bigint
WITH there AS (
    UPDATE counterfoil.sinks
    SET version = version + 1, failing_since = NULL, error = NULL,
        reason = CASE state WHEN 'lost' THEN NULL ELSE reason END,
        state = CASE state WHEN 'lost' THEN 'running' ELSE state END
    WHERE shop_id = $1 AND name = $2
    RETURNING name
), forgotten AS (
    DELETE FROM counterfoil.undelivered AS u USING there AS t
    WHERE u.shop_id = $1 AND u.sink = t.name AND (u.state = 'waiting' OR u.position > $3)
), begun AS (
    INSERT INTO counterfoil.checkpoints AS c (shop_id, consumer, position, progressed_at)
    SELECT s.shop_id, 'sink:' || t.name, $3, statement_timestamp()
    FROM counterfoil.shops AS s CROSS JOIN there AS t
    WHERE s.shop_id = $1
    ON CONFLICT (shop_id, consumer) DO UPDATE
    SET position = excluded.position, epoch = c.epoch + 1, lease_holder = NULL, lease_expires_at = NULL,
        progressed_at = excluded.progressed_at
    RETURNING position
)
SELECT position FROM begun;
