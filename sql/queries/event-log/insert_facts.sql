-- insert_facts
-- $1 shop text
-- $2 at timestamptz
-- events: $3 positions bigint[], $4 ids uuid[], $5 types text[], $6 keys text[], $7 entries text[], $8 leaf hashes bytea[]
-- outbox: $9 aggregate types text[], $10 aggregate ids text[], $11 payloads text[]
-- evidence: $12 positions bigint[], $13 sealed bytea[], $14 kek ids text[], $15 wrapped keys bytea[]
-- certificates: $16 sha256 bytea[], $17 der bytea[], $18 urls text[]
-- callbacks: $19 event keys text[], $20 body macs bytea[], $21 positions bigint[]
-- commands: $22 types text[], $23 ids text[], $24 content sha256 bytea[], $25 positions bigint[]
-- transmissions: $26 ids text[], $27 event keys text[], $28 body macs bytea[], $29 headers text[]
-- conflicting transmissions: $30 ids text[], $31 body macs bytea[]
-- traces of events: $32 traceparents text[] (shorter than the others: null behind its end)
WITH appended AS (
    INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, entry, leaf_hash, traceparent)
    SELECT s.shop_id, position, id, 'fact', type, key, $2, entry, leaf_hash, traceparent
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($3::bigint[]) AS position, unnest($4::uuid[]) AS id, unnest($5::text[]) AS type,
            unnest($6::text[]) AS key, unnest($7::text[]) AS entry, unnest($8::bytea[]) AS leaf_hash,
            unnest($32::text[]) AS traceparent
    ) AS e
    WHERE s.shop_id = $1
), announced AS (
    INSERT INTO counterfoil.outbox (shop_id, position, id, aggregatetype, aggregateid, type, payload, traceparent)
    SELECT s.shop_id, position, id, aggregatetype, aggregateid, type, payload, traceparent
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($3::bigint[]) AS position, unnest($4::uuid[]) AS id, unnest($5::text[]) AS type,
            unnest($9::text[]) AS aggregatetype, unnest($10::text[]) AS aggregateid, unnest($11::text[]) AS payload,
            unnest($32::text[]) AS traceparent
    ) AS o
    WHERE s.shop_id = $1
), sealed AS (
    INSERT INTO counterfoil.evidence (shop_id, position, sealed)
    SELECT s.shop_id, position, sealed
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($12::bigint[]) AS position, unnest($13::bytea[]) AS sealed
    ) AS e
    WHERE s.shop_id = $1
), wrapped AS (
    INSERT INTO counterfoil.evidence_keys (shop_id, position, kek_id, wrapped_key)
    SELECT s.shop_id, w.position, w.kek_id, w.wrapped_key
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($12::bigint[]) AS position, unnest($14::text[]) AS kek_id, unnest($15::bytea[]) AS wrapped_key
    ) AS w
    WHERE s.shop_id = $1
), certified AS (
    INSERT INTO counterfoil.certificates (shop_id, sha256, der, url, first_seen)
    SELECT s.shop_id, sha256, der, url, $2
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($16::bytea[]) AS sha256, unnest($17::bytea[]) AS der, unnest($18::text[]) AS url
    ) AS c
    WHERE s.shop_id = $1
    ON CONFLICT (shop_id, sha256) DO NOTHING
), called_back AS (
    INSERT INTO counterfoil.callbacks (shop_id, event_key, body_mac, position)
    SELECT s.shop_id, event_key, body_mac, position
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($19::text[]) AS event_key, unnest($20::bytea[]) AS body_mac, unnest($21::bigint[]) AS position
    ) AS c
    WHERE s.shop_id = $1
), commanded AS (
    INSERT INTO counterfoil.commands (shop_id, type, id, content_sha256, position)
    SELECT s.shop_id, type, id, content_sha256, position
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($22::text[]) AS type, unnest($23::text[]) AS id, unnest($24::bytea[]) AS content_sha256,
            unnest($25::bigint[]) AS position
    ) AS c
    WHERE s.shop_id = $1
), transmitted AS (
    INSERT INTO counterfoil.transmissions (shop_id, transmission_id, event_key, body_mac, headers)
    SELECT s.shop_id, transmission_id, event_key, body_mac, headers
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($26::text[]) AS transmission_id, unnest($27::text[]) AS event_key, unnest($28::bytea[]) AS body_mac,
            unnest($29::text[]) AS headers
    ) AS t
    WHERE s.shop_id = $1
), conflicted AS (
    INSERT INTO counterfoil.conflicting_transmissions (shop_id, transmission_id, body_mac, first_seen)
    SELECT s.shop_id, transmission_id, body_mac, $2
    FROM counterfoil.shops AS s CROSS JOIN (
        SELECT unnest($30::text[]) AS transmission_id, unnest($31::bytea[]) AS body_mac
    ) AS c
    WHERE s.shop_id = $1
    ON CONFLICT (shop_id, transmission_id, body_mac) DO NOTHING
)
SELECT 1
