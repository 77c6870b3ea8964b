"""Finds the client's credential, and the key that it belongs to."""
