"""Listeners, connections of clients, and the story of each request."""
