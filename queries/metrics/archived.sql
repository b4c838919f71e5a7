-- Rows and bytes of the files of the archive.
SELECT table_name, sum(rows)::BIGINT, sum(bytes)::BIGINT FROM archive.days GROUP BY table_name;
