-- list_reimported
-- $1 shop text
SELECT position FROM counterfoil.reimported WHERE shop_id = $1 ORDER BY position
