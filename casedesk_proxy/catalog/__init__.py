"""Model names: aliases, prefixes, and the lists that a principal may see."""
