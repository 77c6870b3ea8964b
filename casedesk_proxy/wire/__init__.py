"""Bytes on the wire. Incremental, bounded, byte-exact; no I/O."""
