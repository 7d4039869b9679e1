-- find_callbacks
-- $1 shop text
-- $2 event keys text[]
-- $3 body macs bytea[]
-- Whether a known callback came before with the bytes of now is asked only of those that are known: its revision stands
-- under `<event id>/<mac>`. A copy from the API has no mac; whether a signed delivery came after it is seen by its
-- revisions: '0' is the character behind '/'.
SELECT c.event_key, c.body_mac, c.position, r.event_key AS revision_key, r.body_mac AS revision_mac,
    r.position AS revision,
    c.body_mac IS NULL AND EXISTS (
        SELECT FROM counterfoil.callbacks AS s
        WHERE s.shop_id = $1 AND s.event_key > c.event_key || '/' AND s.event_key < c.event_key || '0'
    ) AS signed_since
FROM unnest($2::text[], $3::bytea[]) AS asked (event_key, body_mac)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.callbacks AS c WHERE c.shop_id = $1 AND c.event_key = asked.event_key OFFSET 0
) AS c
LEFT JOIN LATERAL (
    SELECT * FROM counterfoil.callbacks AS r
    WHERE r.shop_id = $1 AND r.event_key = asked.event_key || '/' || encode(asked.body_mac, 'hex') OFFSET 0
) AS r ON true
