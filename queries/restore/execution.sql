-- Where execution stood when the server stopped.
SELECT * FROM execution_metrics ORDER BY timestamp DESC LIMIT 1
