-- A delivery that brought a callback has its headers in that callback's evidence: they are kept once.

COMMENT ON COLUMN counterfoil.transmissions.headers IS 'Its five headers, compact JSON; empty where it brought the callback, whose evidence has them';
