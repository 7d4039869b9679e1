-- find_key
-- $1 shop text
-- $2 key id text
SELECT secret_sha256, holder, roles
FROM counterfoil.api_keys
WHERE shop_id = $1 AND key_id = $2 AND revoked_at IS NULL
    AND (expires_at IS NULL OR expires_at > clock_timestamp())
