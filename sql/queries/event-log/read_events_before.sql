-- read_events_before
-- The newest first, from the end of the log or from a place in it, for people. What is asked for of kinds or types is looked
-- for no further back than $6, so that a type that hardly comes does not cost a reading of the whole log.
-- $1 shop text
-- $2 before bigint
-- $3 limit bigint
-- $4 kinds text[] (empty: all)
-- $5 type patterns text[] (LIKE; empty: all)
-- $6 floor bigint: nothing before this position
SELECT position, entry
FROM counterfoil.events
WHERE shop_id = $1 AND position < $2 AND position >= $6
    AND (cardinality($4::text[]) = 0 OR kind = ANY ($4))
    AND (cardinality($5::text[]) = 0 OR type LIKE ANY ($5))
ORDER BY position DESC
LIMIT $3
