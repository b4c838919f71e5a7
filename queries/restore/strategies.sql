-- Where each strategy stood when the server stopped: the newest row of each, of those that were seen last.
SELECT stood.* FROM strategy_metrics AS stood
JOIN (
    SELECT strategy_name, max(timestamp) AS timestamp FROM strategy_metrics
    GROUP BY strategy_name ORDER BY 2 DESC LIMIT 10000
) AS newest USING (strategy_name, timestamp)
