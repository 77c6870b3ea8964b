"""The engines: small C programs, and the Python code that builds, runs and reads them."""
