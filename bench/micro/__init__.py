"""Micro benchmarks: what one operation of each hot module costs, and what a commit changed."""
