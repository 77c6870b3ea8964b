"""JSON Schema: checks, ordering, adaptation to engines, and the translation of Gemini's Schema
message."""
