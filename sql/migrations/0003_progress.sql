-- When the relay last moved: a leader that is heard of and moves nothing has stalled, however small its lag.
--
-- Added and left empty, so that programs of before go on beside this one; they move checkpoints without setting it.
-- While it waits for the table, every fence waits behind it: it gives up soon, and `migrate` is run again.

SET LOCAL lock_timeout = '1s';

ALTER TABLE counterfoil.checkpoints ADD COLUMN progressed_at timestamptz;
COMMENT ON COLUMN counterfoil.checkpoints.progressed_at IS 'When the position last moved, by the database''s clock; empty until it does';
