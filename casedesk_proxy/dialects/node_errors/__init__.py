"""What nodes write when they refuse or fail, and the errors that clients get."""
