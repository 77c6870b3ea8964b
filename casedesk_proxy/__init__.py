"""CaseDesk Proxy: a streaming gateway for GPU hosts."""

__version__ = "0.1.0"
