-- load_payment_captures
-- $1 shop_id text
-- $2 capture_id text[]
-- $3 id_kind text[]
-- $4 id text[]
SELECT t.capture_id, t.id_kind, t.id
FROM unnest($2::text[], $3::text[], $4::text[]) AS k (capture_id, id_kind, id)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.payment_captures AS t
    WHERE t.shop_id = $1 AND t.capture_id = k.capture_id AND t.id_kind = k.id_kind AND t.id = k.id OFFSET 0
) AS t;
