"""Everything that is sent to nodes: connections, attempts, probes, and questions about
themselves."""
