-- The watermark of each series, its newest instant, the highest first: what is newer cannot replace anything.
SELECT {label} AS label, max({time}) AS watermark FROM {table} GROUP BY 1 ORDER BY 2 DESC LIMIT {most}
