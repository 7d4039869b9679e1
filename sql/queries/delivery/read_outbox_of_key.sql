-- read_outbox_of_key
-- The same of one key, by the log's index of keys.
-- $1 shop_id text
-- $2 after bigint
-- $3 limit bigint
-- $4 aggregate types text[] (empty: all)
-- $5 type patterns text[] (LIKE; empty: all)
-- $6 key text
SELECT o.position, o.id, o.aggregatetype, o.aggregateid, o.type, o.payload, e.key, e.at, e.traceparent
FROM (
    SELECT position, key, at, traceparent
    FROM counterfoil.events
    WHERE shop_id = $1 AND key = $6 AND position > $2
    ORDER BY position
) AS e
CROSS JOIN LATERAL (
    SELECT o.position, o.id, o.aggregatetype, o.aggregateid, o.type, o.payload
    FROM counterfoil.outbox AS o WHERE o.shop_id = $1 AND o.position = e.position OFFSET 0
) AS o
WHERE (cardinality($4::text[]) = 0 OR o.aggregatetype = ANY ($4))
    AND (cardinality($5::text[]) = 0 OR o.type LIKE ANY ($5))
LIMIT $3;
