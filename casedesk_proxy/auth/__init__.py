"""Layer 2: finding the client's credential and telling whose it is."""
