-- load_evidence
-- $1 shop text
-- $2 position bigint
SELECT e.sealed, k.kek_id, k.wrapped_key
FROM counterfoil.evidence e
LEFT JOIN counterfoil.evidence_keys k ON k.shop_id = e.shop_id AND k.position = e.position
WHERE e.shop_id = $1 AND e.position = $2
