-- read_mentions
-- $1 shop text
-- $2 after bigint
-- $3 through bigint
-- $4 limit bigint
-- $5 mentioned text
-- What was decided about an article, a coupon or a buyer stands under the keys of orders: the log is gone through.
SELECT position, entry FROM counterfoil.events
WHERE shop_id = $1 AND position > $2 AND position <= $3 AND kind = 'outcome' AND strpos(entry, $5) > 0
ORDER BY position
LIMIT $4
