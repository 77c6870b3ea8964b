"""The admin listener: health, status and metrics pages."""
