-- How many rows each part of a time range has that is {width} microseconds wide, so that an export can be sorted a part at a
-- time. A part is named by its first instant.
SELECT epoch_us({time}) - (epoch_us({time}) % {width} + {width}) % {width} AS part, count(*) AS rows FROM {rows}
WHERE {time} BETWEEN $start AND $end AND ($label::VARCHAR IS NULL OR {label} = $label::VARCHAR)
GROUP BY 1
ORDER BY 1
