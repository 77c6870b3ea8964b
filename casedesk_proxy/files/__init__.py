"""The file store: contents on disk, what is known of them in the state file."""
