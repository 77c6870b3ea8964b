"""The console: pages for people and their JSON, sign-in, what happens now."""
