-- read_last_stamp
-- $1 shop text
-- $2 origin text
SELECT size, at, clock_timestamp() AS now FROM counterfoil.stamps
WHERE shop_id = $1 AND origin = $2 ORDER BY size DESC LIMIT 1
