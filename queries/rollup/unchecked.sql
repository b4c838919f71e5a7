SELECT count(*) FROM rollup.unchecked WHERE table_name = $1
