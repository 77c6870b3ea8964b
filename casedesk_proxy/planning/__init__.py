"""A request before a node is asked, in memory only: admission, plan, route."""
