-- scan_points
-- Every row of a shop, to be compared with what replay makes.
-- $1 shop_id text
SELECT
    t.buyer_id, t.granted, t.earned, t.revoked, t.spent, t.returned, t.expired, t.held, t.position
FROM counterfoil.points AS t
WHERE t.shop_id = $1
ORDER BY t.buyer_id;
