"""Anthropic's Messages API: a client's request read, a reply written."""
