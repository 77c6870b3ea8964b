"""Keys that are made and withdrawn without editing a file: they live in the state file."""
