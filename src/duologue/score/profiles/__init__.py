"""Ways to turn what was measured into a score."""
