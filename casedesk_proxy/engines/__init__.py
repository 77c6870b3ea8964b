"""What runs at nodes: a module per engine, which holds all that is known of it."""
