(SELECT * FROM ({spans}) WHERE TRUE {filter})
