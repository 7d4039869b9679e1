-- lock_shop
-- $1 shop text
-- Positions are given under this lock. NO KEY UPDATE leaves no dead version behind, as an updated counter would.
SELECT feed_epoch, has_reimported FROM counterfoil.shops WHERE shop_id = $1 FOR NO KEY UPDATE
