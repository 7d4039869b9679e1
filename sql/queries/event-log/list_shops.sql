-- list_shops
SELECT shop_id FROM counterfoil.shops ORDER BY shop_id
