"""The process: the order of start and stop, and signals."""
