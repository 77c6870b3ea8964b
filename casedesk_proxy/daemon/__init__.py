"""Layer 6: the process: start and stop order, signals."""
