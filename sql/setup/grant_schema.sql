-- grant_schema
-- The service may see which migrations were applied, so that it refuses to run on a schema that is not its own.
GRANT USAGE ON SCHEMA counterfoil TO counterfoil_service;
GRANT SELECT ON counterfoil.schema_history TO counterfoil_service;
