"""What all pairs of client and node protocols need."""
