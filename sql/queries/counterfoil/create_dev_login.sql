-- create_dev_login
-- What the service of `counterfoil dev` logs in as on its private cluster, which lets in nobody but its user.
DO $$
BEGIN
    CREATE ROLE counterfoil_dev LOGIN IN ROLE counterfoil_service;
EXCEPTION
    WHEN duplicate_object THEN NULL;
END
$$;
