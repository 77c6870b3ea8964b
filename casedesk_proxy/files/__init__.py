"""The file store: contents on disk, metadata in the state file."""
