"""Layer 2: transposition between protocols, one file per pair of client and node."""
