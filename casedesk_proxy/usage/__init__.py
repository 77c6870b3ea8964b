"""Token counts: where each dialect puts them, and the tap that finds them."""
