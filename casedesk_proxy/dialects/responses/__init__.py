"""OpenAI's Responses API: reading its requests into values, writing its replies."""
