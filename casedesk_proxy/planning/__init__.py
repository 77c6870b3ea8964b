"""One request in memory before a node is asked: admission, plan, route."""
