"""The YAML file, its schema and its complaints; without I/O."""
