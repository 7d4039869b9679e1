-- scan_parked_groups
-- Every row of a shop, to be compared with what replay makes.
-- $1 shop_id text
SELECT
    t.group_position, t.attempts, t.error, t.failed_at
FROM counterfoil.parked_groups AS t
WHERE t.shop_id = $1
ORDER BY t.group_position;
