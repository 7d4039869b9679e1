-- compare_point
-- What stands where somebody remembers an event, and where the histories part that have begun since: -1 before the first
-- event; null when none has.
-- $1 shop text
-- $2 epoch integer
-- $3 position bigint
SELECT s.feed_epoch, e.leaf_hash,
    (SELECT min(f.forked_at) FROM counterfoil.forks AS f WHERE f.shop_id = $1 AND f.epoch > $2) AS forked_at
FROM counterfoil.shops AS s
LEFT JOIN LATERAL (
    SELECT e.position, e.leaf_hash FROM counterfoil.events AS e
    WHERE e.shop_id = $1 AND e.position >= $3 ORDER BY e.position LIMIT 1
) AS e ON e.position = $3
WHERE s.shop_id = $1
