count({column}) AS {column}_count,
    sum({column})::BIGINT AS {column}_sum,
    min({column}) AS {column}_min,
    max({column}) AS {column}_max,
    arg_min({column}, {order}) AS {column}_first,
    arg_max({column}, {order}) AS {column}_last
