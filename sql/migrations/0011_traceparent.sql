-- Which trace an event belongs to, beside its entry, of which it is no part. Programs of before leave it out, and read nothing of it.
-- Whoever waits for the table holds up every append behind it.
SET LOCAL lock_timeout = '1s';

ALTER TABLE counterfoil.events ADD COLUMN traceparent text COLLATE "C";
COMMENT ON COLUMN counterfoil.events.traceparent IS 'The trace that it belongs to (W3C Trace Context), where it was recorded; no part of the entry, nor of the leaf';

ALTER TABLE counterfoil.outbox ADD COLUMN traceparent text COLLATE "C";
COMMENT ON COLUMN counterfoil.outbox.traceparent IS 'The same, for readers of the outbox alone';
