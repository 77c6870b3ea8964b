"""The clients' side of each protocol: paths, error envelopes, forms of lists."""
