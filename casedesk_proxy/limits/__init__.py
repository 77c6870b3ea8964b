"""How much may be used: windows of time, what was used in them, and which requests are refused."""
