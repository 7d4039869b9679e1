-- redrive_dead
-- $1 shop_id text
-- $2 sink text
-- $3 type patterns text[] (LIKE; empty: all)
-- $4 key text (null: all)
WITH redriven AS (
    UPDATE counterfoil.undelivered
    SET state = 'waiting', attempts = 0, next_at = statement_timestamp()
    WHERE shop_id = $1 AND sink = $2 AND state = 'dead'
        AND (cardinality($3::text[]) = 0 OR type LIKE ANY ($3)) AND ($4::text IS NULL OR key = $4)
    RETURNING position
), told AS (
    UPDATE counterfoil.sinks SET version = version + 1
    WHERE shop_id = $1 AND name = $2 AND EXISTS (SELECT FROM redriven)
)
SELECT count(*) AS redriven FROM redriven HAVING count(*) > 0;
