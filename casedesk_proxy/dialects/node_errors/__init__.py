"""The errors that nodes send, and the errors that clients get for them."""
