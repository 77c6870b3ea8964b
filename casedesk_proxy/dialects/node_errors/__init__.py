"""What nodes write when they refuse or fail, and what clients are told of it."""
