-- upsert_points
-- $1 shop_id text
-- $2 buyer_id text[]
-- $3 granted bigint[]
-- $4 earned bigint[]
-- $5 revoked bigint[]
-- $6 spent bigint[]
-- $7 returned bigint[]
-- $8 expired bigint[]
-- $9 held bigint[]
-- $10 position bigint[]
INSERT INTO counterfoil.points (
    shop_id, buyer_id, granted, earned, revoked, spent, returned, expired, held, position
)
SELECT
    s.shop_id, r.buyer_id, r.granted, r.earned, r.revoked, r.spent, r.returned, r.expired, r.held,
    r.position
FROM counterfoil.shops AS s CROSS JOIN (
    SELECT unnest($2::text[]) AS buyer_id, unnest($3::bigint[]) AS granted, unnest($4::bigint[]) AS earned,
        unnest($5::bigint[]) AS revoked, unnest($6::bigint[]) AS spent, unnest($7::bigint[]) AS returned,
        unnest($8::bigint[]) AS expired, unnest($9::bigint[]) AS held, unnest($10::bigint[]) AS position
) AS r
WHERE s.shop_id = $1
ON CONFLICT (shop_id, buyer_id) DO UPDATE SET
    granted = excluded.granted, earned = excluded.earned, revoked = excluded.revoked,
    spent = excluded.spent, returned = excluded.returned, expired = excluded.expired,
    held = excluded.held, position = excluded.position;
