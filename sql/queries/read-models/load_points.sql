-- load_points
-- $1 shop_id text
-- $2 buyer_id text[]
SELECT
    t.buyer_id, t.granted, t.earned, t.revoked, t.spent, t.returned, t.expired, t.held, t.position
FROM unnest($2::text[]) AS k (buyer_id)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.points AS t WHERE t.shop_id = $1 AND t.buyer_id = k.buyer_id OFFSET 0
) AS t;
