-- delete_payment_captures
-- Rows that the log says nothing of; only a rebuild removes any.
-- $1 shop_id text
-- $2 capture_id text[]
-- $3 id_kind text[]
-- $4 id text[]
DELETE FROM counterfoil.payment_captures AS t
USING unnest($2::text[], $3::text[], $4::text[]) AS k (capture_id, id_kind, id)
WHERE t.shop_id = $1 AND t.capture_id = k.capture_id AND t.id_kind = k.id_kind AND t.id = k.id;
