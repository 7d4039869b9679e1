-- insert_payments
-- Payments that are new: nothing has to be looked for first.
-- $1 shop_id text
-- $2 id_kind text[]
-- $3 id text[]
-- $4 kind text[]
-- $5 state text[]
-- $6 standing text[]
-- $7 order_id text[]
-- $8 other_order_id text[]
-- $9 assigned boolean[]
-- $10 paypal_order_id text[]
-- $11 authorization_id text[]
-- $12 captures text[]
-- $13 amount_minor bigint[]
-- $14 currency text[]
-- $15 fee_minor bigint[]
-- $16 net_minor bigint[]
-- $17 payee text[]
-- $18 is_final boolean[]
-- $19 outcome text[]
-- $20 position bigint[]
-- $21 at timestamptz[]
INSERT INTO counterfoil.payments (
    shop_id, id_kind, id, kind, state, standing, order_id, other_order_id, assigned,
    paypal_order_id, authorization_id, captures, amount_minor, currency, fee_minor, net_minor,
    payee, is_final, outcome, position, at
)
SELECT
    s.shop_id, r.id_kind, r.id, r.kind, r.state, r.standing, r.order_id, r.other_order_id, r.assigned,
    r.paypal_order_id, r.authorization_id, CASE r.captures WHEN '' THEN '{}'::text[] ELSE string_to_array(r.captures, E'\n') END, r.amount_minor,
    r.currency, r.fee_minor, r.net_minor, r.payee, r.is_final, r.outcome, r.position, r.at
FROM counterfoil.shops AS s CROSS JOIN (
    SELECT unnest($2::text[]) AS id_kind, unnest($3::text[]) AS id, unnest($4::text[]) AS kind,
        unnest($5::text[]) AS state, unnest($6::text[]) AS standing, unnest($7::text[]) AS order_id,
        unnest($8::text[]) AS other_order_id, unnest($9::boolean[]) AS assigned,
        unnest($10::text[]) AS paypal_order_id, unnest($11::text[]) AS authorization_id,
        unnest($12::text[]) AS captures, unnest($13::bigint[]) AS amount_minor,
        unnest($14::text[]) AS currency, unnest($15::bigint[]) AS fee_minor,
        unnest($16::bigint[]) AS net_minor, unnest($17::text[]) AS payee,
        unnest($18::boolean[]) AS is_final, unnest($19::text[]) AS outcome,
        unnest($20::bigint[]) AS position, unnest($21::timestamptz[]) AS at
) AS r
WHERE s.shop_id = $1;
