-- list_undelivered
-- $1 shop_id text
-- $2 sink text
-- $3 state text (null: all)
-- $4 after bigint
-- $5 limit bigint
-- $6 type patterns text[] (LIKE; empty: all)
-- $7 key text (null: all)
SELECT position, key, type, state, attempts, next_at, error, since
FROM counterfoil.undelivered
WHERE shop_id = $1 AND sink = $2 AND ($3::text IS NULL OR state = $3) AND position > $4
    AND (cardinality($6::text[]) = 0 OR type LIKE ANY ($6)) AND ($7::text IS NULL OR key = $7)
ORDER BY position
LIMIT $5;
