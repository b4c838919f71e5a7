-- When the wall clock was last believed, and since and until when another time was seen that is not believed yet. One row.
CREATE SCHEMA IF NOT EXISTS upkeep;

CREATE TABLE IF NOT EXISTS upkeep.clock (
    believed_at TIMESTAMP NOT NULL,
    doubted_since TIMESTAMP,
    doubted_at TIMESTAMP
);
