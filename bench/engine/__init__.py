"""The engines: small C programs, and what Python needs to build, run and read them."""
