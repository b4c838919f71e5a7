-- The newest instant of each series: what is newer cannot replace anything.
SELECT {label} AS label, max({time}) AS newest FROM {table} GROUP BY 1
