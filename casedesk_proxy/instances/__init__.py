"""What the instances of one host share while they run: who is there, and what each has."""
