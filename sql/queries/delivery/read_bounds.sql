-- read_bounds
-- Where the log ends and where the outbox begins.
-- $1 shop_id text
SELECT s.feed_epoch,
    coalesce((
        SELECT position FROM counterfoil.events WHERE shop_id = $1 ORDER BY position DESC LIMIT 1
    ), -1) AS head,
    coalesce((SELECT pruned_through FROM counterfoil.outbox_retention WHERE shop_id = $1), -1) AS pruned_through
FROM counterfoil.shops AS s
WHERE s.shop_id = $1;
