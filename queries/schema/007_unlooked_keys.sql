-- Tables of which rows have been stored whose keys archived rows may have, too, and are not looked for in the files yet. An
-- earlier version forgot such keys when it ended.
CREATE TABLE IF NOT EXISTS archive.unlooked AS
SELECT DISTINCT table_name FROM archive.days;
