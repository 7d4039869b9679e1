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
    $1, r.code, r.buyer_id, r.held, r.used
FROM unnest(
    $2::text[], $3::text[], $4::bigint[], $5::bigint[]
) AS r (
    code, buyer_id, held, used
)
ORDER BY r.code COLLATE "C", r.buyer_id COLLATE "C"
ON CONFLICT (shop_id, code, buyer_id) DO UPDATE SET
    held = excluded.held, used = excluded.used;
