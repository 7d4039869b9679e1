-- find_certificate
-- $1 shop_id text
-- $2 sha256 bytea
SELECT der FROM counterfoil.certificates WHERE shop_id = $1 AND sha256 = $2
