-- insert_outcomes
-- $1 shop text
-- $2 at timestamptz
-- events: $3 positions bigint[], $4 ids uuid[], $5 types text[], $6 keys text[], $7 causes bigint[], $8 entries text[], $9 leaf hashes bytea[]
-- outbox: $10 aggregate types text[], $11 aggregate ids text[], $12 payloads text[]
WITH appended AS (
    INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, cause, entry, leaf_hash)
    SELECT $1, position, id, 'outcome', type, key, $2, cause, entry, leaf_hash
    FROM unnest($3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::bytea[])
        AS e (position, id, type, key, cause, entry, leaf_hash)
)
INSERT INTO counterfoil.outbox (shop_id, position, id, aggregatetype, aggregateid, type, payload)
SELECT $1, position, id, aggregatetype, aggregateid, type, payload
FROM unnest($3::bigint[], $4::uuid[], $5::text[], $10::text[], $11::text[], $12::text[])
    AS o (position, id, type, aggregatetype, aggregateid, payload)
