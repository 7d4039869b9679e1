-- compare_point
-- What stands where somebody remembers an event, and where the histories part that have begun since: -1 before the first
-- event; null when none has.
-- $1 shop text
-- $2 epoch integer
-- $3 position bigint
SELECT s.feed_epoch, e.leaf_hash,
    (SELECT min(f.forked_at) FROM counterfoil.forks AS f WHERE f.shop_id = $1 AND f.epoch > $2) AS forked_at
FROM counterfoil.shops AS s
LEFT JOIN counterfoil.events AS e ON e.shop_id = $1 AND e.position = $3
WHERE s.shop_id = $1
