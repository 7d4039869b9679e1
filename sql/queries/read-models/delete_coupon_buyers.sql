-- delete_coupon_buyers
-- Rows that the log says nothing of; only a rebuild removes any.
-- $1 shop_id text
-- $2 code text[]
-- $3 buyer_id text[]
DELETE FROM counterfoil.coupon_buyers AS t USING unnest($2::text[], $3::text[]) AS k (code, buyer_id)
WHERE t.shop_id = $1 AND t.code = k.code AND t.buyer_id = k.buyer_id;
