sum(quantity * price) AS turnover,
    count(*) FILTER (WHERE side = 'buy') AS buy_count,
    count(*) FILTER (WHERE side = 'sell') AS sell_count
