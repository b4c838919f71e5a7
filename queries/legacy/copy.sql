SELECT file FROM rebuild_copy
