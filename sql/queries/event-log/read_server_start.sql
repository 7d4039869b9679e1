-- read_server_start
-- Which server and database this is: while they last they do not lose what was committed. A standby may yet, on the day it
-- becomes the primary, and is none.
SELECT pg_catalog.pg_postmaster_start_time() AS started, d.oid::bigint AS database
FROM pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database() AND NOT pg_catalog.pg_is_in_recovery();
