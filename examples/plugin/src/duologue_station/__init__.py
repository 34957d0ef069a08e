"""A scenario, an emotion taxonomy, a noise and a voice for Duologue."""
