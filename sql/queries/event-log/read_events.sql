-- read_events
-- $1 shop text
-- $2 after bigint
-- $3 limit bigint
-- $4 kinds text[] (empty: all)
-- $5 type patterns text[] (LIKE; empty: all)
SELECT position, entry
FROM counterfoil.events
WHERE shop_id = $1 AND position > $2
    AND (cardinality($4::text[]) = 0 OR kind = ANY ($4))
    AND (cardinality($5::text[]) = 0 OR type LIKE ANY ($5))
ORDER BY position
LIMIT $3
