-- read_privileges
-- What the login may do beyond what a service should; no row when the schema is not there.
-- $1 schema text
SELECT
    current_user::text AS login,
    EXISTS (
        SELECT FROM pg_catalog.pg_roles WHERE rolname IN (current_user, session_user) AND rolsuper
    ) AS superuser,
    pg_has_role(current_user, n.nspowner, 'MEMBER') AS schema_owner,
    EXISTS (
        SELECT FROM pg_catalog.pg_class c
        WHERE c.relnamespace = n.oid AND pg_has_role(current_user, c.relowner, 'MEMBER')
    ) AS table_owner
FROM pg_catalog.pg_namespace n
WHERE n.nspname = $1::text;
