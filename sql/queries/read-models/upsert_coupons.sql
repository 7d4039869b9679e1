-- upsert_coupons
-- $1 shop_id text
-- $2 code text[]
-- $3 max_uses bigint[]
-- $4 max_per_buyer bigint[]
-- $5 valid_from timestamptz[]
-- $6 valid_until timestamptz[]
-- $7 voided boolean[]
-- $8 held bigint[]
-- $9 used bigint[]
-- $10 position bigint[]
INSERT INTO counterfoil.coupons (
    shop_id, code, max_uses, max_per_buyer, valid_from, valid_until, voided, held, used, position
)
SELECT
    $1, r.code, r.max_uses, r.max_per_buyer, r.valid_from, r.valid_until, r.voided, r.held, r.used,
    r.position
FROM unnest(
    $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::boolean[],
    $8::bigint[], $9::bigint[], $10::bigint[]
) AS r (
    code, max_uses, max_per_buyer, valid_from, valid_until, voided, held, used, position
)
ORDER BY r.code COLLATE "C"
ON CONFLICT (shop_id, code) DO UPDATE SET
    max_uses = excluded.max_uses, max_per_buyer = excluded.max_per_buyer,
    valid_from = excluded.valid_from, valid_until = excluded.valid_until, voided = excluded.voided,
    held = excluded.held, used = excluded.used, position = excluded.position;
