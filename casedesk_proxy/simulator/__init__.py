"""A simulated inference node that speaks Gemini, Anthropic and OpenAI."""
