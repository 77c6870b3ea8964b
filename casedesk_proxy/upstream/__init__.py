"""What is said to nodes: connections, attempts, probes, and what they tell of themselves."""
