"""The YAML file, its schema and its complaints; no I/O."""
