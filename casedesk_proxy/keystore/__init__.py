"""Layer 6: keys that are made and withdrawn without editing a file: they live in the state file."""
