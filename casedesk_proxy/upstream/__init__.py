"""Layer 4: connections to nodes: open, reuse, close; metadata probes."""
