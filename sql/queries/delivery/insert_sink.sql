-- insert_sink
-- The sink and where it begins.
-- $1 shop_id text
-- $2 name text
-- $3 kind text
-- $4 settings text (JSON)
-- $5 secrets bytea
-- $6 kek_id text
-- $7 position bigint
WITH made AS (
    INSERT INTO counterfoil.sinks (shop_id, name, kind, settings, secrets, kek_id, state)
    VALUES ($1, $2, $3, $4::text::jsonb, $5, $6, 'running')
    ON CONFLICT (shop_id, name) DO NOTHING
    RETURNING name
), begun AS (
    INSERT INTO counterfoil.checkpoints AS c (shop_id, consumer, position)
    SELECT s.shop_id, 'sink:' || m.name, $7
    FROM counterfoil.shops AS s CROSS JOIN made AS m
    WHERE s.shop_id = $1
    ON CONFLICT (shop_id, consumer) DO UPDATE
    SET position = excluded.position, epoch = c.epoch + 1, lease_holder = NULL, lease_expires_at = NULL
    RETURNING position
)
SELECT position FROM begun;
