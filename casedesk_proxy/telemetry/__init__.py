"""What the proxy reports about itself: log lines, metrics, the lag of its loop."""
