-- upsert_orders
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
-- $19 revision bigint[]
-- $20 buyer_id text[]
-- $21 lines text[]
-- $22 coupons text[]
-- $23 points text[]
-- $24 paypal_order_id text[]
-- $25 ship_to text[]
-- $26 tracks text[]
-- $27 hold_s bigint[]
-- $28 placed_at timestamptz[]
-- $29 position bigint[]
-- $30 at timestamptz[]
INSERT INTO counterfoil.orders (
    shop_id, order_id, currency, total_minor, state, fulfilment, reasons, refusals, flags,
    captured_minor, refunded_minor, reversed_minor, refund_due_minor, held_until, paid_at,
    points_revoked, given_back, shipped, revision, buyer_id, lines, coupons, points,
    paypal_order_id, ship_to, tracks, hold_s, placed_at, position, at
)
SELECT
    $1, r.order_id, r.currency, r.total_minor, r.state, r.fulfilment, r.reasons::jsonb,
    r.refusals::jsonb, string_to_array(r.flags, E'\n'), r.captured_minor, r.refunded_minor,
    r.reversed_minor, r.refund_due_minor, r.held_until, r.paid_at, r.points_revoked,
    string_to_array(r.given_back, E'\n'), r.shipped::jsonb, r.revision, r.buyer_id, r.lines::jsonb,
    r.coupons::jsonb, r.points::jsonb, r.paypal_order_id, r.ship_to,
    string_to_array(r.tracks, E'\n'), r.hold_s, r.placed_at, r.position, r.at
FROM unnest(
    $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::timestamptz[],
    $15::timestamptz[], $16::bigint[], $17::text[], $18::text[], $19::bigint[], $20::text[],
    $21::text[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[], $27::bigint[],
    $28::timestamptz[], $29::bigint[], $30::timestamptz[]
) AS r (
    order_id, currency, total_minor, state, fulfilment, reasons, refusals, flags, captured_minor,
    refunded_minor, reversed_minor, refund_due_minor, held_until, paid_at, points_revoked,
    given_back, shipped, revision, buyer_id, lines, coupons, points, paypal_order_id, ship_to,
    tracks, hold_s, placed_at, position, at
)
ORDER BY r.order_id COLLATE "C"
ON CONFLICT (shop_id, order_id) DO UPDATE SET
    currency = excluded.currency, total_minor = excluded.total_minor, state = excluded.state,
    fulfilment = excluded.fulfilment, reasons = excluded.reasons, refusals = excluded.refusals,
    flags = excluded.flags, captured_minor = excluded.captured_minor,
    refunded_minor = excluded.refunded_minor, reversed_minor = excluded.reversed_minor,
    refund_due_minor = excluded.refund_due_minor, held_until = excluded.held_until,
    paid_at = excluded.paid_at, points_revoked = excluded.points_revoked,
    given_back = excluded.given_back, shipped = excluded.shipped, revision = excluded.revision,
    buyer_id = excluded.buyer_id, lines = excluded.lines, coupons = excluded.coupons,
    points = excluded.points, paypal_order_id = excluded.paypal_order_id,
    ship_to = excluded.ship_to, tracks = excluded.tracks, hold_s = excluded.hold_s,
    placed_at = excluded.placed_at, position = excluded.position, at = excluded.at;
