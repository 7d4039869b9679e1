-- read_citus
-- The version of the extension citus in this database; no row where it is not installed.
SELECT e.extversion AS version FROM pg_catalog.pg_extension AS e WHERE e.extname = 'citus';
