sum({column}_count)::BIGINT AS {column}_count,
    sum({column}_sum)::BIGINT AS {column}_sum,
    sum({column}_sum_high)::BIGINT AS {column}_sum_high,
    min({column}_min) AS {column}_min,
    max({column}_max) AS {column}_max,
    arg_min({column}_first, bucket) AS {column}_first,
    arg_max({column}_last, bucket) AS {column}_last
