"""The console: pages for people, their JSON API, sign-in, and live data."""
