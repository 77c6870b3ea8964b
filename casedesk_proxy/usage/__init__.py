"""Layer 2: token counts: where each dialect keeps them, and the tap that finds them."""
