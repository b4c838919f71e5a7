-- Rows of a span of time, oldest first.
SELECT {columns} FROM {rows}
WHERE {time} BETWEEN $start AND $end AND ($label::VARCHAR IS NULL OR {label} = $label::VARCHAR)
ORDER BY {order}
