sum(turnover) AS turnover,
    sum(buy_count)::BIGINT AS buy_count,
    sum(sell_count)::BIGINT AS sell_count
