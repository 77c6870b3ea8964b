"""Listeners, clients' connections, and the handling of each request."""
