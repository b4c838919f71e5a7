UPDATE rollup.progress SET rolled_until = make_timestamp({until}) WHERE table_name = '{table}' AND level = '{level}'
