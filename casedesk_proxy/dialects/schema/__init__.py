"""JSON Schema: checked, put in order and fitted, and Gemini's Schema message made it."""
