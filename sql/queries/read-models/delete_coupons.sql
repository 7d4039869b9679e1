-- delete_coupons
-- Rows that the log says nothing of; only a rebuild removes any.
-- $1 shop_id text
-- $2 code text[]
DELETE FROM counterfoil.coupons AS t USING unnest($2::text[]) AS k (code) WHERE t.shop_id = $1 AND t.code = k.code;
