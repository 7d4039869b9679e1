-- revoke_key
-- $1 shop text
-- $2 key id text
UPDATE counterfoil.api_keys SET revoked_at = statement_timestamp()
WHERE shop_id = $1 AND key_id = $2 AND revoked_at IS NULL
RETURNING key_id
