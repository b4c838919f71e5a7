count({column}) AS {column}_count,
    -- In two halves: the sum of 64-bit integers needs more than 64 bits, and wider ones are slow to read.
    sum({column} % 4294967296)::BIGINT AS {column}_sum,
    sum({column} // 4294967296)::BIGINT AS {column}_sum_high,
    min({column}) AS {column}_min,
    max({column}) AS {column}_max,
    arg_min({column}, {order}) AS {column}_first,
    arg_max({column}, {order}) AS {column}_last
