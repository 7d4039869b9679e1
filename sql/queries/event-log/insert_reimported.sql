-- insert_reimported
-- Events that came back, byte for byte.
-- $1 shop text
-- events: $2 positions bigint[], $3 ids uuid[], $4 kinds text[], $5 types text[], $6 keys text[], $7 ats timestamptz[],
-- $8 causes bigint[], $9 entries text[], $10 leaf hashes bytea[]
-- outbox: $11 aggregate types text[], $12 aggregate ids text[], $13 payloads text[]
WITH marked AS (
    UPDATE counterfoil.shops SET has_reimported = true WHERE shop_id = $1
), appended AS (
    INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, cause, entry, leaf_hash)
    SELECT s.shop_id, position, id, kind, type, key, at, cause, entry, leaf_hash
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($2::bigint[]) AS position, unnest($3::uuid[]) AS id, unnest($4::text[]) AS kind,
            unnest($5::text[]) AS type, unnest($6::text[]) AS key, unnest($7::timestamptz[]) AS at,
            unnest($8::bigint[]) AS cause, unnest($9::text[]) AS entry, unnest($10::bytea[]) AS leaf_hash
    ) AS e
    WHERE s.shop_id = $1
), known AS (
    INSERT INTO counterfoil.reimported (shop_id, id, position)
    SELECT s.shop_id, id, position
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($2::bigint[]) AS position, unnest($3::uuid[]) AS id, unnest($4::text[]) AS kind
    ) AS r
    WHERE s.shop_id = $1 AND kind <> 'outcome'
    ON CONFLICT (shop_id, id) DO NOTHING
), announced AS (
    INSERT INTO counterfoil.outbox (shop_id, position, id, aggregatetype, aggregateid, type, payload)
    SELECT s.shop_id, position, id, aggregatetype, aggregateid, type, payload
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($2::bigint[]) AS position, unnest($3::uuid[]) AS id, unnest($5::text[]) AS type,
            unnest($11::text[]) AS aggregatetype, unnest($12::text[]) AS aggregateid, unnest($13::text[]) AS payload
    ) AS o
    WHERE s.shop_id = $1
)
SELECT 1
