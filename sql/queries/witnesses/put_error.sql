-- put_error
-- $1 shop text
-- $2 origin text
-- $3 witness text
-- $4 error text
INSERT INTO counterfoil.witnesses AS w (shop_id, origin, witness, error) VALUES ($1, $2, $3, $4)
ON CONFLICT (shop_id, origin, witness) DO UPDATE SET error = excluded.error
