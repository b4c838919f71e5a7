-- In the order of time, so that a question for some of it can skip the rest.
INSERT INTO {table}_rebuilt SELECT {names} FROM {table} ORDER BY {time}
