-- For the volume-weighted price.
    sum(last_price * volume) AS turnover,
    sum(volume::DOUBLE) FILTER (WHERE last_price IS NOT NULL) AS turnover_volume
