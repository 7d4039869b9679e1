-- list_trees
-- Every shop's tree, and who grows it; every age is by the database's clock.
-- $1 consumer text
SELECT s.shop_id, s.feed_epoch, coalesce(t.size, 0) AS size, t.root, coalesce(h.position + 1, 0) AS log_size,
    t.published_size, t.error, c.lease_holder,
    coalesce(c.lease_expires_at > clock_timestamp(), false) AS is_led,
    (extract(epoch FROM clock_timestamp() - t.published_at) * 1000)::bigint AS published_age_ms,
    (extract(epoch FROM clock_timestamp() - n.at) * 1000)::bigint AS waiting_age_ms
FROM counterfoil.shops AS s
LEFT JOIN counterfoil.trees AS t ON t.shop_id = s.shop_id
LEFT JOIN counterfoil.checkpoints AS c ON c.shop_id = s.shop_id AND c.consumer = $1
LEFT JOIN LATERAL (
    SELECT e.position FROM counterfoil.events AS e
    WHERE e.shop_id = s.shop_id ORDER BY e.position DESC LIMIT 1
) AS h ON true
LEFT JOIN LATERAL (
    SELECT e.at FROM counterfoil.events AS e
    WHERE e.shop_id = s.shop_id AND e.position >= coalesce(t.size, 0) ORDER BY e.position LIMIT 1
) AS n ON true
ORDER BY s.shop_id
LIMIT 1000;
