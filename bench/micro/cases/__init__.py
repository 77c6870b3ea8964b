"""One module per hot module of the proxy, each with its CASES. The docstring describes the
workload."""
