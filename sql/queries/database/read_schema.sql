-- read_schema
-- Whether the schema is there, and whether its migrations' history is.
-- $1 schema text
SELECT
    EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1::text) AS schema_exists,
    EXISTS (
        SELECT FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1::text AND c.relname = 'schema_history' AND c.relkind = 'r'
    ) AS history_exists;
