-- find_head
-- $1 shop text
-- One row for a shop, also while its log is empty. Run it after lock_shop, as a statement of its own: only so has it a
-- snapshot from after the lock.
SELECT clock_timestamp() AS now, head.position, head.at
FROM counterfoil.shops s
LEFT JOIN LATERAL (
    SELECT e.position, e.at FROM counterfoil.events e WHERE e.shop_id = $1 ORDER BY e.position DESC LIMIT 1
) head ON true
WHERE s.shop_id = $1
