AND ({of}{, label}) IN (SELECT {bucket}{, label} FROM stale)
