"""Who used what: one row in the state file for each exchange, and their sums."""
