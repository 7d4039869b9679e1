-- read_leaves
-- Committed events from a position on, and the epoch that the log was in when they were read.
-- $1 shop_id text
-- $2 from bigint
-- $3 row_limit bigint
SELECT e.position, e.entry, e.leaf_hash,
    e.type = 'key.rotated' AND e.key = 'shop:' || e.shop_id AS is_of_key,
    (SELECT s.feed_epoch FROM counterfoil.shops AS s WHERE s.shop_id = $1) AS epoch
FROM counterfoil.events AS e
WHERE e.shop_id = $1 AND e.position >= $2
ORDER BY e.position
LIMIT $3::bigint;
