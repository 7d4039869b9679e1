-- scan_coupon_buyers
-- Every row of a shop, to be compared with what replay makes.
-- $1 shop_id text
SELECT
    t.code, t.buyer_id, t.held, t.used
FROM counterfoil.coupon_buyers AS t
WHERE t.shop_id = $1
ORDER BY t.code, t.buyer_id;
