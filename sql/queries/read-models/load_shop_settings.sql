-- load_shop_settings
-- $1 shop_id text
SELECT settings::text AS settings, rules
FROM counterfoil.shop_settings
WHERE shop_id = $1;
