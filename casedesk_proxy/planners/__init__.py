"""Processes beside the daemon in which large requests are planned, so that no stream waits."""
