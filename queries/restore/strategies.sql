-- Where each strategy stood when the server stopped.
SELECT * FROM strategy_metrics QUALIFY row_number() OVER (PARTITION BY strategy_name ORDER BY timestamp DESC) = 1
