-- list_points
-- $1 shop_id text
-- $2 after text: the last buyer_id of the page before
-- $3 row_limit bigint
SELECT
    t.buyer_id, t.granted, t.earned, t.revoked, t.spent, t.returned, t.expired, t.held, t.position
FROM counterfoil.points AS t
WHERE t.shop_id = $1 AND t.buyer_id > $2::text
ORDER BY t.buyer_id
LIMIT $3::bigint;
