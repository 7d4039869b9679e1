-- read_role
-- $1 role text
SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1::text) AS role_exists;
