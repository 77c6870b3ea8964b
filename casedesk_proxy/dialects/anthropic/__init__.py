"""Anthropic's Messages API: reading a client's request, writing a reply."""
