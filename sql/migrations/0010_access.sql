-- API keys that end, and that are replaced with an overlap. Programs of before know of neither: they take a key that has
-- ended for as long as it is not revoked.
-- Whoever waits for the table holds up every look at a key behind it.
SET LOCAL lock_timeout = '1s';

ALTER TABLE counterfoil.api_keys
    ADD COLUMN expires_at  timestamptz,
    ADD COLUMN replaced_by text COLLATE "C";
COMMENT ON COLUMN counterfoil.api_keys.expires_at IS 'From when it is refused by itself: its own end, or that of the overlap with the key that replaces it';
COMMENT ON COLUMN counterfoil.api_keys.replaced_by IS 'The key of the same holder and roles that it was rotated to';
