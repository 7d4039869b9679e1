-- clear_tables
-- Every row of a shop, in the order of the locks: they are written anew in the same transaction.
-- $1 shop_id text
WITH orders AS (DELETE FROM counterfoil.orders WHERE shop_id = $1),
payments AS (DELETE FROM counterfoil.payments WHERE shop_id = $1),
payment_captures AS (DELETE FROM counterfoil.payment_captures WHERE shop_id = $1),
stock AS (DELETE FROM counterfoil.stock WHERE shop_id = $1),
coupons AS (DELETE FROM counterfoil.coupons WHERE shop_id = $1),
coupon_buyers AS (DELETE FROM counterfoil.coupon_buyers WHERE shop_id = $1),
points AS (DELETE FROM counterfoil.points WHERE shop_id = $1),
parked AS (DELETE FROM counterfoil.parked WHERE shop_id = $1),
parked_groups AS (DELETE FROM counterfoil.parked_groups WHERE shop_id = $1),
parked_keys AS (DELETE FROM counterfoil.parked_keys WHERE shop_id = $1)
DELETE FROM counterfoil.shop_settings WHERE shop_id = $1
