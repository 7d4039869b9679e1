-- read_seen
-- $1 shop text
-- $2 origin text
-- $3 witness text
SELECT size FROM counterfoil.witnesses WHERE shop_id = $1 AND origin = $2 AND witness = $3
