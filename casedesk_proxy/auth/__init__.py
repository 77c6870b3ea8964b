"""Finding the client's credential and telling whose it is."""
