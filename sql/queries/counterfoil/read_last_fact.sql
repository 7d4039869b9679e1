-- read_last_fact
-- $1 shop_id text
-- Where the last fact stands: the bench waits until the relay is there.
SELECT position FROM counterfoil.events WHERE shop_id = $1 AND kind = 'fact' ORDER BY position DESC LIMIT 1;
