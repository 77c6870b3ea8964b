"""What the instances of one host share while they run: which instances there are, and what each
uses."""
