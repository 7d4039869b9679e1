-- delete_payments
-- Rows that the log says nothing of; only a rebuild removes any.
-- $1 shop_id text
-- $2 id_kind text[]
-- $3 id text[]
DELETE FROM counterfoil.payments AS t USING unnest($2::text[], $3::text[]) AS k (id_kind, id)
WHERE t.shop_id = $1 AND t.id_kind = k.id_kind AND t.id = k.id;
