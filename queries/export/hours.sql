-- How many rows each hour of a span of time has, so that an export can be sorted a part at a time.
SELECT epoch_us({time}) // 3600000000 AS hour, count(*) AS rows FROM {rows}
WHERE {time} BETWEEN $start AND $end AND ($label::VARCHAR IS NULL OR {label} = $label::VARCHAR)
GROUP BY 1
ORDER BY 1
