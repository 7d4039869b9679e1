-- count_dead
-- What a redrive would take up.
-- $1 shop_id text
-- $2 sink text
-- $3 type patterns text[] (LIKE; empty: all)
-- $4 key text (null: all)
SELECT count(*) AS dead FROM counterfoil.undelivered
WHERE shop_id = $1 AND sink = $2 AND state = 'dead'
    AND (cardinality($3::text[]) = 0 OR type LIKE ANY ($3)) AND ($4::text IS NULL OR key = $4);
