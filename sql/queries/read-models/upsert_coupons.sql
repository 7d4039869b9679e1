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
    s.shop_id, r.code, r.max_uses, r.max_per_buyer, r.valid_from, r.valid_until, r.voided, r.held, r.used,
    r.position
FROM counterfoil.shops AS s CROSS JOIN (
    SELECT unnest($2::text[]) AS code, unnest($3::bigint[]) AS max_uses, unnest($4::bigint[]) AS max_per_buyer,
        unnest($5::timestamptz[]) AS valid_from, unnest($6::timestamptz[]) AS valid_until,
        unnest($7::boolean[]) AS voided, unnest($8::bigint[]) AS held, unnest($9::bigint[]) AS used,
        unnest($10::bigint[]) AS position
) AS r
WHERE s.shop_id = $1
ON CONFLICT (shop_id, code) DO UPDATE SET
    max_uses = excluded.max_uses, max_per_buyer = excluded.max_per_buyer,
    valid_from = excluded.valid_from, valid_until = excluded.valid_until, voided = excluded.voided,
    held = excluded.held, used = excluded.used, position = excluded.position;
