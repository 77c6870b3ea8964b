"""Files that clients upload, as values: what is known of one, and of an upload."""
