-- find_key
-- $1 shop text
-- $2 key id text
SELECT secret_sha256, holder, roles,
    last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute' AS use_unnoted
FROM counterfoil.api_keys WHERE shop_id = $1 AND key_id = $2 AND revoked_at IS NULL
