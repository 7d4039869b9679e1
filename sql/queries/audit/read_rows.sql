-- read_rows
-- $1 shop text
-- $2 after bigint
-- $3 limit bigint
-- Events with all their columns, and their outbox rows as far as they are kept: to be compared with their entries.
SELECT e.position, e.id, e.kind, e.type, e.key, e.at, e.cause, e.entry, e.leaf_hash,
    o.id AS outbox_id, o.aggregatetype, o.aggregateid, o.type AS outbox_type, o.payload
FROM counterfoil.events AS e
LEFT JOIN LATERAL (
    SELECT * FROM counterfoil.outbox AS o WHERE o.shop_id = $1 AND o.position = e.position OFFSET 0
) AS o ON true
WHERE e.shop_id = $1 AND e.position > $2
ORDER BY e.position
LIMIT $3
