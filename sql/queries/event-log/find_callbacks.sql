-- find_callbacks
-- $1 shop text
-- $2 event keys text[]
-- A copy from the API has no mac. Whether a signed delivery came after it is seen by its revisions, `<event id>/<mac>`;
-- '0' is the character behind '/'.
SELECT c.event_key, c.body_mac, c.position,
    c.body_mac IS NULL AND EXISTS (
        SELECT FROM counterfoil.callbacks AS r
        WHERE r.shop_id = $1 AND r.event_key > c.event_key || '/' AND r.event_key < c.event_key || '0'
    ) AS signed_since
FROM unnest($2::text[]) AS asked (event_key)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.callbacks AS c WHERE c.shop_id = $1 AND c.event_key = asked.event_key OFFSET 0
) AS c
