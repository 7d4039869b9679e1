-- count_parked
-- $1 shop_id text
-- $2 most bigint: nobody needs to know of more
SELECT count(*) AS parked
FROM (SELECT 1 FROM counterfoil.parked AS t WHERE t.shop_id = $1 LIMIT $2::bigint) AS m
