-- create_reader_role
-- For people and connectors that read the outbox with SQL: a login that is a member sees the outbox and its view, no more.
CREATE ROLE counterfoil_reader NOLOGIN;
