-- read_last_callback
-- $1 shop_id text
-- Where the last callback stands: the bench waits until the relay is there.
SELECT max(position) AS position FROM counterfoil.callbacks WHERE shop_id = $1;
