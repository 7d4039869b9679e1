-- 02_read_models
-- The relay folds outcomes into the read models; rows of parked facts go when they are decided.
GRANT SELECT, INSERT, UPDATE ON counterfoil.orders, counterfoil.payments, counterfoil.payment_captures,
    counterfoil.stock, counterfoil.coupons, counterfoil.coupon_buyers, counterfoil.points,
    counterfoil.shop_settings TO counterfoil_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON counterfoil.parked, counterfoil.parked_groups,
    counterfoil.parked_keys TO counterfoil_service;
