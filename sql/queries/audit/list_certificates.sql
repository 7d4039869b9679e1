-- list_certificates
-- $1 shop text
SELECT sha256, der, url FROM counterfoil.certificates WHERE shop_id = $1 ORDER BY sha256
