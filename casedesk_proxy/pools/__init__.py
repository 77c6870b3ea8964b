"""The live state of nodes and the choice among them; pure, time comes in as ``now``."""
