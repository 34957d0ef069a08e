"""Ways to reach a system under test."""
