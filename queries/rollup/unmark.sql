-- They are refreshed. What was marked since this transaction began, it does not see and does not delete.
DELETE FROM rollup.stale
WHERE table_name = '{table}' AND bucket >= make_timestamp({from}) AND bucket < make_timestamp({until})
