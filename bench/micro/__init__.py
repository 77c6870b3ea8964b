"""Micro benchmarks: the cost of one operation of each hot module, and its change by a commit."""
