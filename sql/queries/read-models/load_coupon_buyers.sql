-- load_coupon_buyers
-- $1 shop_id text
-- $2 code text[]
-- $3 buyer_id text[]
SELECT
    t.code, t.buyer_id, t.held, t.used
FROM unnest($2::text[], $3::text[]) AS k (code, buyer_id)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.coupon_buyers AS t WHERE t.shop_id = $1 AND t.code = k.code AND t.buyer_id = k.buyer_id OFFSET 0
) AS t;
