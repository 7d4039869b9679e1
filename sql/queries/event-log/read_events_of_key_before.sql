-- read_events_of_key_before
-- $1 shop text
-- $2 before bigint
-- $3 limit bigint
-- $4 kinds text[] (empty: all)
-- $5 type patterns text[] (LIKE; empty: all)
-- $6 floor bigint: nothing before this position
-- $7 key text
SELECT position, entry
FROM counterfoil.events
WHERE shop_id = $1 AND key = $7 AND position < $2 AND position >= $6
    AND (cardinality($4::text[]) = 0 OR kind = ANY ($4))
    AND (cardinality($5::text[]) = 0 OR type LIKE ANY ($5))
ORDER BY position DESC
LIMIT $3
