-- read_outcomes_of
-- $1 shop text
-- $2 cause bigint
-- $3 until bigint
-- No index on cause: outcomes stand soon behind their facts, so a bounded scan forward finds them.
SELECT position, entry
FROM counterfoil.events
WHERE shop_id = $1 AND position > $2 AND position <= $3 AND cause = $2
ORDER BY position
