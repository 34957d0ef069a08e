"""Embedded voices and models: what they are, where they come from, and proof that they are unchanged."""
