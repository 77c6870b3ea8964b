"""Files that clients upload, as values: a file's metadata, and the state of an upload."""
