-- read_beyond
-- $1 shop text
-- $2 head bigint
-- Rows about events behind the last one: of a log that is whole there are none.
SELECT of.name, of.count, of.first
FROM (
    SELECT 'evidence' AS name, count(*) AS count, min(position) AS first
    FROM counterfoil.evidence WHERE shop_id = $1 AND position > $2
    UNION ALL
    SELECT 'evidence_keys', count(*), min(position) FROM counterfoil.evidence_keys WHERE shop_id = $1 AND position > $2
    UNION ALL
    SELECT 'outbox', count(*), min(position) FROM counterfoil.outbox WHERE shop_id = $1 AND position > $2
    UNION ALL
    SELECT 'callbacks', count(*), min(position) FROM counterfoil.callbacks WHERE shop_id = $1 AND position > $2
    UNION ALL
    SELECT 'commands', count(*), min(position) FROM counterfoil.commands WHERE shop_id = $1 AND position > $2
    UNION ALL
    SELECT 'checkpoints', count(*), min(position) FROM counterfoil.checkpoints WHERE shop_id = $1 AND position > $2
) AS of
WHERE of.count > 0
