-- read_outbox
-- One page, in order. The log tells when and about what; its rows lie side by side with the outbox's. (`>=` and not `=`:
-- each has its event, and this says which index is meant.)
-- $1 shop_id text
-- $2 after bigint
-- $3 to bigint
-- $4 limit bigint
-- $5 aggregate types text[] (empty: all)
-- $6 type patterns text[] (LIKE; empty: all)
SELECT o.position, o.id, o.aggregatetype, o.aggregateid, o.type, o.payload, e.key, e.at, e.traceparent
FROM (
    SELECT position, id, aggregatetype, aggregateid, type, payload
    FROM counterfoil.outbox
    WHERE shop_id = $1 AND position > $2 AND position <= $3
        AND (cardinality($5::text[]) = 0 OR aggregatetype = ANY ($5))
        AND (cardinality($6::text[]) = 0 OR type LIKE ANY ($6))
    ORDER BY position
    LIMIT $4
) AS o
CROSS JOIN LATERAL (
    SELECT key, at, traceparent FROM counterfoil.events AS e
    WHERE e.shop_id = $1 AND e.position >= o.position ORDER BY e.position LIMIT 1
) AS e;
