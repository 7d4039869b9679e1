-- insert_payment_captures
-- The captures of a payment only grow in number.
-- $1 shop_id text
-- $2 capture_id text[]
-- $3 id_kind text[]
-- $4 id text[]
INSERT INTO counterfoil.payment_captures (shop_id, capture_id, id_kind, id)
SELECT $1, r.capture_id, r.id_kind, r.id
FROM unnest($2::text[], $3::text[], $4::text[]) AS r (capture_id, id_kind, id)
ON CONFLICT DO NOTHING;
