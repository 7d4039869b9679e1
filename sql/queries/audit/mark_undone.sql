-- mark_undone
-- $1 shop text
-- $2 rebuild text
UPDATE counterfoil.replaced_rows SET undone_at = statement_timestamp() WHERE shop_id = $1 AND rebuild = $2
