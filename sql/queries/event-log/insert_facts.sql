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
WITH appended AS (
    INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, entry, leaf_hash)
    SELECT $1, position, id, 'fact', type, key, $2, entry, leaf_hash
    FROM unnest($3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::bytea[])
        AS e (position, id, type, key, entry, leaf_hash)
), announced AS (
    INSERT INTO counterfoil.outbox (shop_id, position, id, aggregatetype, aggregateid, type, payload)
    SELECT $1, position, id, aggregatetype, aggregateid, type, payload
    FROM unnest($3::bigint[], $4::uuid[], $5::text[], $9::text[], $10::text[], $11::text[])
        AS o (position, id, type, aggregatetype, aggregateid, payload)
), sealed AS (
    INSERT INTO counterfoil.evidence (shop_id, position, sealed)
    SELECT $1, position, sealed FROM unnest($12::bigint[], $13::bytea[]) AS s (position, sealed)
), wrapped AS (
    INSERT INTO counterfoil.evidence_keys (shop_id, position, kek_id, wrapped_key)
    SELECT $1, position, kek_id, wrapped_key
    FROM unnest($12::bigint[], $14::text[], $15::bytea[]) AS w (position, kek_id, wrapped_key)
), certified AS (
    INSERT INTO counterfoil.certificates (shop_id, sha256, der, url, first_seen)
    SELECT $1, sha256, der, url, $2 FROM unnest($16::bytea[], $17::bytea[], $18::text[]) AS c (sha256, der, url)
    ON CONFLICT (shop_id, sha256) DO NOTHING
), called_back AS (
    INSERT INTO counterfoil.callbacks (shop_id, event_key, body_mac, position)
    SELECT $1, event_key, body_mac, position
    FROM unnest($19::text[], $20::bytea[], $21::bigint[]) AS c (event_key, body_mac, position)
), commanded AS (
    INSERT INTO counterfoil.commands (shop_id, type, id, content_sha256, position)
    SELECT $1, type, id, content_sha256, position
    FROM unnest($22::text[], $23::text[], $24::bytea[], $25::bigint[]) AS c (type, id, content_sha256, position)
), transmitted AS (
    INSERT INTO counterfoil.transmissions (shop_id, transmission_id, event_key, body_mac, headers)
    SELECT $1, transmission_id, event_key, body_mac, headers
    FROM unnest($26::text[], $27::text[], $28::bytea[], $29::text[])
        AS t (transmission_id, event_key, body_mac, headers)
)
INSERT INTO counterfoil.conflicting_transmissions (shop_id, transmission_id, body_mac, first_seen)
SELECT $1, transmission_id, body_mac, $2 FROM unnest($30::text[], $31::bytea[]) AS c (transmission_id, body_mac)
ON CONFLICT (shop_id, transmission_id, body_mac) DO NOTHING
