"""One module for each pair of client and node protocol; none imports another."""
