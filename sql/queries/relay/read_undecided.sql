-- read_undecided
-- What stands behind a checkpoint, of which only the captures' entries are read: for /metrics.
-- $1 shop_id text
-- $2 after bigint
-- $3 row_limit bigint
SELECT e.position, CASE WHEN e.kind = 'fact' AND e.type = 'payment.captured' THEN e.entry END AS entry
FROM counterfoil.events AS e
WHERE e.shop_id = $1 AND e.position > $2
ORDER BY e.position
LIMIT $3::bigint;
