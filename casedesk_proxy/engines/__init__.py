"""The inference engines that nodes run: one module per engine, which contains all that is known of
it."""
