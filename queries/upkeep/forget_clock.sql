DELETE FROM upkeep.clock
