-- 09_reconciliation
GRANT SELECT, INSERT, UPDATE ON counterfoil.reconciliation TO counterfoil_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON counterfoil.order_lookups TO counterfoil_service;
