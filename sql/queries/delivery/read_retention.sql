-- read_retention
-- How far readers are: the outbox is pruned behind the slowest that is not lost. `old` is where the time to keep begins.
-- $1 shop_id text
SELECT coalesce((SELECT pruned_through FROM counterfoil.outbox_retention WHERE shop_id = $1), -1) AS pruned_through,
    least(
        (SELECT min(position) FROM counterfoil.consumers WHERE shop_id = $1 AND lost_at IS NULL),
        (
            SELECT min(coalesce(c.position, -1))
            FROM counterfoil.sinks AS s
            LEFT JOIN counterfoil.checkpoints AS c ON c.shop_id = $1 AND c.consumer = 'sink:' || s.name
            WHERE s.shop_id = $1 AND s.state <> 'lost'
        )
    ) AS slowest;
