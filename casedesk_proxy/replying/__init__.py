"""One reply, in memory only: how it begins, its errors, how it ends."""
