-- check_points
-- Held is the sum of the open holds; earned, spent, revoked and returned are the sums of the paid orders.
-- $1 shop_id text
WITH moved AS (
    SELECT o.buyer_id,
        sum(coalesce((o.points ->> 'spend')::bigint, 0)) FILTER (WHERE o.held_until IS NOT NULL) AS held,
        sum(coalesce((o.points ->> 'spend')::bigint, 0)) FILTER (WHERE o.paid_at IS NOT NULL) AS spent,
        sum(coalesce((o.points ->> 'earn')::bigint, 0)) FILTER (WHERE o.paid_at IS NOT NULL) AS earned,
        sum(o.points_revoked) FILTER (WHERE o.paid_at IS NOT NULL) AS revoked,
        sum(coalesce((o.points ->> 'spend')::bigint, 0))
            FILTER (WHERE o.paid_at IS NOT NULL AND 'points' = ANY (o.given_back)) AS returned
    FROM counterfoil.orders AS o
    WHERE o.shop_id = $1 AND o.buyer_id IS NOT NULL AND o.points IS NOT NULL
        AND 'points' = ANY (o.tracks)
    GROUP BY o.buyer_id
)
SELECT coalesce(p.buyer_id, m.buyer_id) AS subject,
    format('held %s of %s, spent %s of %s, earned %s of %s, revoked %s of %s, returned %s of %s',
        p.held, m.held, p.spent, m.spent, p.earned, m.earned, p.revoked, m.revoked,
        p.returned, m.returned) AS detail
FROM (SELECT * FROM counterfoil.points WHERE shop_id = $1) AS p
FULL JOIN moved AS m ON m.buyer_id = p.buyer_id
WHERE coalesce(p.held, 0) <> coalesce(m.held, 0)
    OR coalesce(p.spent, 0) <> coalesce(m.spent, 0)
    OR coalesce(p.earned, 0) <> coalesce(m.earned, 0)
    OR coalesce(p.revoked, 0) <> coalesce(m.revoked, 0)
    OR coalesce(p.returned, 0) <> coalesce(m.returned, 0)
ORDER BY 1;
