-- upsert_coupon_buyers
-- $1 shop_id text
-- $2 code text[]
-- $3 buyer_id text[]
-- $4 held bigint[]
-- $5 used bigint[]
INSERT INTO counterfoil.coupon_buyers (
    shop_id, code, buyer_id, held, used
)
SELECT
    s.shop_id, r.code, r.buyer_id, r.held, r.used
FROM counterfoil.shops AS s CROSS JOIN (
    SELECT unnest($2::text[]) AS code, unnest($3::text[]) AS buyer_id, unnest($4::bigint[]) AS held,
        unnest($5::bigint[]) AS used
) AS r
WHERE s.shop_id = $1
ON CONFLICT (shop_id, code, buyer_id) DO UPDATE SET
    held = excluded.held, used = excluded.used;
