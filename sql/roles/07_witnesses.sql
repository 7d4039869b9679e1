-- 07_witnesses
GRANT SELECT, INSERT, UPDATE ON counterfoil.witnesses TO counterfoil_service;
GRANT SELECT, INSERT ON counterfoil.stamps TO counterfoil_service;
-- What came back is written by the owner alone.
GRANT SELECT ON counterfoil.reimported TO counterfoil_service;
