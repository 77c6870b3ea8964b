"""What happens to a node's reply on its way to its client: one strategy for each way, all pure."""
