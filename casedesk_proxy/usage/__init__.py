"""Token counts: where each dialect keeps them, and the tap that finds them."""
