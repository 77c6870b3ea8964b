"""Gemini's API: reading a client's request, writing a reply."""
