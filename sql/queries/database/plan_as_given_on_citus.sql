-- plan_as_given_on_citus
-- Sent once a session. A row comes back where the extension citus is installed.
SELECT pg_catalog.set_config('plan_cache_mode', 'auto', false) AS plans
FROM pg_catalog.pg_extension AS e
WHERE e.extname = 'citus';
