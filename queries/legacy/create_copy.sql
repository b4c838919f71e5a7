-- The copy that was made of this file, while its tables are being rebuilt: a start that goes on needs no other.
CREATE OR REPLACE TABLE rebuild_copy AS SELECT $1::VARCHAR AS file
