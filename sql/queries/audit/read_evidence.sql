-- read_evidence
-- $1 shop text
-- $2 after bigint
-- $3 through bigint
-- The evidence of these positions, each with its wrapped key as far as that was not destroyed.
SELECT e.position, e.sealed, k.wrapped_key
FROM counterfoil.evidence AS e
LEFT JOIN LATERAL (
    SELECT * FROM counterfoil.evidence_keys AS k WHERE k.shop_id = $1 AND k.position = e.position OFFSET 0
) AS k ON true
WHERE e.shop_id = $1 AND e.position > $2 AND e.position <= $3
ORDER BY e.position
