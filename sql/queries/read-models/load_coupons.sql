-- load_coupons
-- $1 shop_id text
-- $2 code text[]
SELECT
    t.code, t.max_uses, t.max_per_buyer, t.valid_from, t.valid_until, t.voided, t.held, t.used,
    t.position
FROM unnest($2::text[]) AS k (code)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.coupons AS t WHERE t.shop_id = $1 AND t.code = k.code OFFSET 0
) AS t;
