-- destroy_keys
-- $1 shop text
-- $2 positions bigint[]
-- The sealed bytes stay, so that their hash can still be proved; without the key nobody reads them.
DELETE FROM counterfoil.evidence_keys WHERE shop_id = $1 AND position = ANY ($2) RETURNING position
