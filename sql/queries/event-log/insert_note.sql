-- insert_note
-- $1 shop text
-- $2 position bigint
-- $3 id uuid
-- $4 type text
-- $5 key text
-- $6 at timestamptz
-- $7 entry text
-- $8 leaf hash bytea
-- $9 aggregate id text
-- $10 payload text
-- $11 deduplicating id text
-- $12 content sha256 bytea
-- $13 sealed evidence bytea (null: none)
-- $14 kek id text
-- $15 wrapped key bytea
WITH appended AS (
    INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, entry, leaf_hash)
    VALUES ($1, $2, $3, 'note', $4, $5, $6, $7, $8)
), known AS (
    INSERT INTO counterfoil.commands (shop_id, type, id, content_sha256, position) VALUES ($1, $4, $11, $12, $2)
), sealed AS (
    INSERT INTO counterfoil.evidence (shop_id, position, sealed) SELECT $1, $2, $13::bytea WHERE $13 IS NOT NULL
), wrapped AS (
    INSERT INTO counterfoil.evidence_keys (shop_id, position, kek_id, wrapped_key)
    SELECT $1, $2, $14::text, $15::bytea WHERE $13 IS NOT NULL
)
INSERT INTO counterfoil.outbox (shop_id, position, id, aggregatetype, aggregateid, type, payload)
VALUES ($1, $2, $3, 'log', $9, $4, $10)
