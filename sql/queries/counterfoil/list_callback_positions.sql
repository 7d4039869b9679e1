-- list_callback_positions
-- $1 shop_id text
-- Where each callback stands, for the bench to say when it was decided.
SELECT event_key, position FROM counterfoil.callbacks WHERE shop_id = $1;
