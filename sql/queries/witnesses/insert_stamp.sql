-- insert_stamp
-- $1 shop text
-- $2 origin text
-- $3 size bigint
-- $4 at timestamptz
-- $5 checkpoint text
-- $6 response bytea
INSERT INTO counterfoil.stamps (shop_id, origin, size, at, checkpoint, response) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (shop_id, origin, size) DO NOTHING
