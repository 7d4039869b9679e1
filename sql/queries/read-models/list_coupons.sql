-- list_coupons
-- $1 shop_id text
-- $2 after text: the last code of the page before
-- $3 row_limit bigint
SELECT
    t.code, t.max_uses, t.max_per_buyer, t.valid_from, t.valid_until, t.voided, t.held, t.used,
    t.position
FROM counterfoil.coupons AS t
WHERE t.shop_id = $1 AND t.code > $2::text
ORDER BY t.code
LIMIT $3::bigint;
