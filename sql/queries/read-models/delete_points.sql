-- delete_points
-- Rows that the log says nothing of; only a rebuild removes any.
-- $1 shop_id text
-- $2 buyer_id text[]
DELETE FROM counterfoil.points AS t USING unnest($2::text[]) AS k (buyer_id) WHERE t.shop_id = $1 AND t.buyer_id = k.buyer_id;
