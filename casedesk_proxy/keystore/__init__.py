"""Keys that are made and revoked without editing a file: they are in the state file."""
