-- read_end
-- Which epoch a log is in, and its last position; -1: it is empty.
-- $1 shop text
SELECT s.feed_epoch, coalesce((
    SELECT e.position FROM counterfoil.events AS e WHERE e.shop_id = $1 ORDER BY e.position DESC LIMIT 1
), -1) AS head
FROM counterfoil.shops AS s
WHERE s.shop_id = $1
