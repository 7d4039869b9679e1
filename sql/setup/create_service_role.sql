-- create_service_role
-- What `serve` logs in as is a member of this role, owns nothing, and can only append to the log.
CREATE ROLE counterfoil_service NOLOGIN;
