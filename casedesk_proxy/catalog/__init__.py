"""Layer 2: model names: aliases, prefixes, and the lists that a principal may see."""
