-- list_keys
-- $1 shop text
-- $2 positions bigint[]
SELECT position FROM counterfoil.evidence_keys WHERE shop_id = $1 AND position = ANY ($2) ORDER BY position
