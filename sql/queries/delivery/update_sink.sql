-- update_sink
-- $1 shop_id text
-- $2 name text
-- $3 settings text (JSON)
-- $4 secrets bytea
-- $5 kek_id text
UPDATE counterfoil.sinks
SET settings = $3::text::jsonb, secrets = $4, kek_id = $5, version = version + 1
WHERE shop_id = $1 AND name = $2
RETURNING name;
