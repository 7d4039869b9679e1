-- read_bundle
-- Entries from a position on.
-- $1 shop_id text
-- $2 from bigint
-- $3 row_limit bigint
SELECT e.position, e.entry
FROM counterfoil.events AS e
WHERE e.shop_id = $1 AND e.position >= $2
ORDER BY e.position
LIMIT $3::bigint;
