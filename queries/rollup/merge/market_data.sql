sum(turnover) AS turnover,
    sum(turnover_volume) AS turnover_volume
