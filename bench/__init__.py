"""Load scripts that anyone can rerun: ``load.py`` and ``relay_cost.py``; see README.md."""
