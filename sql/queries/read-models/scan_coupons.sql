-- scan_coupons
-- Every row of a shop, to be compared with what replay makes.
-- $1 shop_id text
SELECT
    t.code, t.max_uses, t.max_per_buyer, t.valid_from, t.valid_until, t.voided, t.held, t.used,
    t.position
FROM counterfoil.coupons AS t
WHERE t.shop_id = $1
ORDER BY t.code;
