"""The live state of nodes and the choice among them; pure functions and values, with the time as
``now``."""
