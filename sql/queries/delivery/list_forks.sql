-- list_forks
-- $1 shop_id text
SELECT epoch, forked_at FROM counterfoil.forks WHERE shop_id = $1 ORDER BY epoch;
