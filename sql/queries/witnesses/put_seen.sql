-- put_seen
-- $1 shop text
-- $2 origin text
-- $3 witness text
-- $4 size bigint
-- $5 at timestamptz
INSERT INTO counterfoil.witnesses AS w (shop_id, origin, witness, size, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (shop_id, origin, witness) DO UPDATE SET size = excluded.size, at = excluded.at, error = NULL
