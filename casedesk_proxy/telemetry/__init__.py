"""What the proxy says of itself: log lines, metrics, the lag of its loop."""
