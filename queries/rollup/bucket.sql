make_timestamp((epoch_us({time}) + 62135596800000000) // {width} * {width} - 62135596800000000)
