-- upsert_order_standings
-- Orders whose terms stay as they are stored, which saves sending and reading them.
-- Most lists are empty, and an empty one is not read as JSON or cut into pieces.
-- $1 shop_id text
-- $2 order_id text[]
-- $3 currency text[]
-- $4 total_minor bigint[]
-- $5 state text[]
-- $6 fulfilment text[]
-- $7 reasons text[]
-- $8 refusals text[]
-- $9 flags text[]
-- $10 captured_minor bigint[]
-- $11 refunded_minor bigint[]
-- $12 reversed_minor bigint[]
-- $13 refund_due_minor bigint[]
-- $14 held_until timestamptz[]
-- $15 paid_at timestamptz[]
-- $16 points_revoked bigint[]
-- $17 given_back text[]
-- $18 shipped text[]
-- $19 position bigint[]
-- $20 at timestamptz[]
INSERT INTO counterfoil.orders (
    shop_id, order_id, currency, total_minor, state, fulfilment, reasons, refusals, flags,
    captured_minor, refunded_minor, reversed_minor, refund_due_minor, held_until, paid_at,
    points_revoked, given_back, shipped, position, at
)
SELECT
    s.shop_id, r.order_id, r.currency, r.total_minor, r.state, r.fulfilment,
    CASE r.reasons WHEN '[]' THEN '[]'::jsonb ELSE r.reasons::jsonb END,
    CASE r.refusals WHEN '[]' THEN '[]'::jsonb ELSE r.refusals::jsonb END,
    CASE r.flags WHEN '' THEN '{}'::text[] ELSE string_to_array(r.flags, E'\n') END, r.captured_minor,
    r.refunded_minor, r.reversed_minor, r.refund_due_minor, r.held_until, r.paid_at, r.points_revoked,
    CASE r.given_back WHEN '' THEN '{}'::text[] ELSE string_to_array(r.given_back, E'\n') END,
    CASE r.shipped WHEN '[]' THEN '[]'::jsonb ELSE r.shipped::jsonb END, r.position, r.at
FROM counterfoil.shops AS s CROSS JOIN (
    SELECT unnest($2::text[]) AS order_id, unnest($3::text[]) AS currency,
        unnest($4::bigint[]) AS total_minor, unnest($5::text[]) AS state,
        unnest($6::text[]) AS fulfilment, unnest($7::text[]) AS reasons,
        unnest($8::text[]) AS refusals, unnest($9::text[]) AS flags,
        unnest($10::bigint[]) AS captured_minor, unnest($11::bigint[]) AS refunded_minor,
        unnest($12::bigint[]) AS reversed_minor, unnest($13::bigint[]) AS refund_due_minor,
        unnest($14::timestamptz[]) AS held_until, unnest($15::timestamptz[]) AS paid_at,
        unnest($16::bigint[]) AS points_revoked, unnest($17::text[]) AS given_back,
        unnest($18::text[]) AS shipped, unnest($19::bigint[]) AS position,
        unnest($20::timestamptz[]) AS at
) AS r
WHERE s.shop_id = $1
ON CONFLICT (shop_id, order_id) DO UPDATE SET
    currency = excluded.currency, total_minor = excluded.total_minor, state = excluded.state,
    fulfilment = excluded.fulfilment, reasons = excluded.reasons, refusals = excluded.refusals,
    flags = excluded.flags, captured_minor = excluded.captured_minor,
    refunded_minor = excluded.refunded_minor, reversed_minor = excluded.reversed_minor,
    refund_due_minor = excluded.refund_due_minor, held_until = excluded.held_until,
    paid_at = excluded.paid_at, points_revoked = excluded.points_revoked,
    given_back = excluded.given_back, shipped = excluded.shipped, position = excluded.position,
    at = excluded.at;
