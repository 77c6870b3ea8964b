"""Layer 2: what clients send and expect back: paths, envelopes, list shapes."""
