-- find_callbacks
-- $1 shop text
-- $2 event keys text[]
-- A copy from the API has no mac. Whether a signed delivery came after it is seen by its revisions, `<event id>/<mac>`;
-- '0' is the character behind '/'.
SELECT c.event_key, c.body_mac, c.position,
    c.body_mac IS NULL AND EXISTS (
        SELECT FROM counterfoil.callbacks r
        WHERE r.shop_id = $1 AND r.event_key > c.event_key || '/' AND r.event_key < c.event_key || '0'
    ) AS signed_since
FROM counterfoil.callbacks c
WHERE c.shop_id = $1 AND c.event_key = ANY ($2)
