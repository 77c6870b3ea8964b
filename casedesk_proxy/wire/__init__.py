"""Layer 1: bytes on the wire. Incremental, bounded, byte-exact; no I/O."""
