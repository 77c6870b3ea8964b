"""What clients send and expect back: paths, envelopes, list shapes."""
