-- get_shop
-- $1 shop text
SELECT environment, feed_epoch, hash_key_wrapped FROM counterfoil.shops WHERE shop_id = $1
