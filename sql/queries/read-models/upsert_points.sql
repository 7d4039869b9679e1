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
    $1, r.buyer_id, r.granted, r.earned, r.revoked, r.spent, r.returned, r.expired, r.held,
    r.position
FROM unnest(
    $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::bigint[]
) AS r (
    buyer_id, granted, earned, revoked, spent, returned, expired, held, position
)
ORDER BY r.buyer_id COLLATE "C"
ON CONFLICT (shop_id, buyer_id) DO UPDATE SET
    granted = excluded.granted, earned = excluded.earned, revoked = excluded.revoked,
    spent = excluded.spent, returned = excluded.returned, expired = excluded.expired,
    held = excluded.held, position = excluded.position;
