"""Layer 1: the YAML file, its schema and its complaints; no I/O."""
