"""A reply on its way from a node to its client."""
