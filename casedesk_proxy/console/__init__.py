"""The console: pages for people and their JSON, sign-in, what goes on now."""
