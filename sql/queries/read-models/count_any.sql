-- count_any
-- Rows of a shop, one of a table at most: whether it has any.
-- $1 shop_id text
SELECT count(*) FROM (
    (SELECT 1 FROM counterfoil.orders WHERE shop_id = $1 LIMIT 1)
    UNION ALL (SELECT 1 FROM counterfoil.payments WHERE shop_id = $1 LIMIT 1)
    UNION ALL (SELECT 1 FROM counterfoil.stock WHERE shop_id = $1 LIMIT 1)
    UNION ALL (SELECT 1 FROM counterfoil.coupons WHERE shop_id = $1 LIMIT 1)
    UNION ALL (SELECT 1 FROM counterfoil.points WHERE shop_id = $1 LIMIT 1)
    UNION ALL (SELECT 1 FROM counterfoil.shop_settings WHERE shop_id = $1 LIMIT 1)
) AS r
