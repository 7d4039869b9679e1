-- list_seen
SELECT shop_id, origin, witness, size, at, error FROM counterfoil.witnesses ORDER BY shop_id, origin, witness
