"""What every pair of client and node needs, whatever either speaks."""
