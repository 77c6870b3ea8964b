"""Layer 5: a simulated inference node that speaks Gemini, Anthropic and OpenAI."""
