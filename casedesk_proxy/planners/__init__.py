"""Processes beside the daemon that plan large requests, so that no stream waits for planning."""
