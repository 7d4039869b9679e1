-- insert_payment_captures
-- The captures of a payment only grow in number.
-- $1 shop_id text
-- $2 capture_id text[]
-- $3 id_kind text[]
-- $4 id text[]
INSERT INTO counterfoil.payment_captures (shop_id, capture_id, id_kind, id)
SELECT s.shop_id, r.capture_id, r.id_kind, r.id
FROM counterfoil.shops AS s CROSS JOIN (
    SELECT unnest($2::text[]) AS capture_id, unnest($3::text[]) AS id_kind, unnest($4::text[]) AS id
) AS r
WHERE s.shop_id = $1
ON CONFLICT DO NOTHING;
