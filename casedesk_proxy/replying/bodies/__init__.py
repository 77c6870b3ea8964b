"""What happens to a node's reply on its way to its client: one class for each kind of reply,
without I/O."""
