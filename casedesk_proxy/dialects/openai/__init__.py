"""OpenAI's chat completions: what a node is sent, and its reply read."""
