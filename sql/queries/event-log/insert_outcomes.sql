-- insert_outcomes
-- $1 shop text
-- $2 at timestamptz
-- events: $3 positions bigint[], $4 ids uuid[], $5 types text[], $6 keys text[], $7 causes bigint[], $8 entries text[], $9 leaf hashes bytea[]
-- outbox: $10 aggregate types text[], $11 aggregate ids text[], $12 payloads text[]
-- traces of events: $13 traceparents text[] (shorter than the others: null behind its end)
WITH appended AS (
    INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, cause, entry, leaf_hash, traceparent)
    SELECT s.shop_id, position, id, 'outcome', type, key, $2, cause, entry, leaf_hash, traceparent
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($3::bigint[]) AS position, unnest($4::uuid[]) AS id, unnest($5::text[]) AS type,
            unnest($6::text[]) AS key, unnest($7::bigint[]) AS cause, unnest($8::text[]) AS entry,
            unnest($9::bytea[]) AS leaf_hash, unnest($13::text[]) AS traceparent
    ) AS e
    WHERE s.shop_id = $1
), announced AS (
    INSERT INTO counterfoil.outbox (shop_id, position, id, aggregatetype, aggregateid, type, payload, traceparent)
    SELECT s.shop_id, position, id, aggregatetype, aggregateid, type, payload, traceparent
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($3::bigint[]) AS position, unnest($4::uuid[]) AS id, unnest($5::text[]) AS type,
            unnest($10::text[]) AS aggregatetype, unnest($11::text[]) AS aggregateid, unnest($12::text[]) AS payload,
            unnest($13::text[]) AS traceparent
    ) AS o
    WHERE s.shop_id = $1
)
SELECT 1
