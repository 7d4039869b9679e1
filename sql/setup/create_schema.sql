-- create_schema
-- The schema and the history of its migrations appear together: a schema without the history is somebody else's.
-- The columns of the history are those that the migration tool reads and writes.
CREATE SCHEMA counterfoil;
CREATE TABLE counterfoil.schema_history (
    version    int4 PRIMARY KEY, -- the number of the migration's file
    name       varchar(255),     -- the rest of its file name
    applied_on varchar(255),     -- RFC 3339
    checksum   varchar(255)      -- of its text; an edited migration is refused
);
