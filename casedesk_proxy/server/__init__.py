"""Layer 5: the public HTTP face and the relay."""
