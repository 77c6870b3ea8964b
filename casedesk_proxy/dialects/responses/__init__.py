"""OpenAI's Responses API: its requests read into a value of their own, its replies written."""
