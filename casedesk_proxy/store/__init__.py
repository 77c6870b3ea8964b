"""The state file: what the proxy keeps beyond its process, in one SQLite file."""
