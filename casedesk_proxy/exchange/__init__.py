"""Layer 3: one exchange end to end, in memory: plan, request, outcome."""
