-- The watermarks of the series that have staged rows.
SELECT {label} AS label, max({time}) AS watermark FROM {table}
WHERE {label} IN (SELECT {label} FROM staging) GROUP BY 1 LIMIT {most}
