"""Translation from one protocol to another: a package for each protocol, and pairs, which only
map."""
