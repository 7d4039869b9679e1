-- read_sessions
-- How many sessions the server takes from a login without privileges, and how many are not ours.
SELECT
    current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint AS most,
    (
        SELECT count(*)
        FROM pg_catalog.pg_stat_activity AS a
        WHERE a.datid IS NOT NULL AND a.application_name NOT LIKE 'counterfoil %'
    ) AS others;
