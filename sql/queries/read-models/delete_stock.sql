-- delete_stock
-- Rows that the log says nothing of; only a rebuild removes any.
-- $1 shop_id text
-- $2 sku text[]
DELETE FROM counterfoil.stock AS t USING unnest($2::text[]) AS k (sku) WHERE t.shop_id = $1 AND t.sku = k.sku;
