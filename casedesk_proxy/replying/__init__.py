"""One reply in memory: how it begins, what its errors are, how it ends."""
