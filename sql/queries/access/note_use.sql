-- note_use
-- $1 shop text
-- $2 key id text
-- At most once a minute, however many processes see the key.
UPDATE counterfoil.api_keys SET last_used_at = clock_timestamp()
WHERE shop_id = $1 AND key_id = $2
    AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute')
