SELECT epoch_us(believed_at), epoch_us(doubted_since), epoch_us(doubted_at) FROM upkeep.clock
