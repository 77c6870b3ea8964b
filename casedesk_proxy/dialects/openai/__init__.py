"""OpenAI's chat completions: making a node's request, reading its reply."""
