-- read_last_cause
-- Outcomes stand in the order of their causes.
-- $1 shop text
SELECT cause FROM counterfoil.events WHERE shop_id = $1 AND kind = 'outcome' ORDER BY position DESC LIMIT 1
