-- How many series a table has.
SELECT count(DISTINCT {label}) FROM {table}
