"""Gemini's API: a client's request read, a reply written."""
