-- read_key_note
-- The log's epoch, and what it says last of the key that signs it.
-- $1 shop_id text
-- $2 key text
SELECT s.feed_epoch AS epoch, n.position, n.entry
FROM counterfoil.shops AS s
LEFT JOIN LATERAL (
    SELECT e.position, e.entry FROM counterfoil.events AS e
    WHERE e.shop_id = $1 AND e.key = $2 AND e.type = 'key.rotated'
    ORDER BY e.position DESC
    LIMIT 1
) AS n ON true
WHERE s.shop_id = $1;
