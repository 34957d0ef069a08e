"""Scoring: what a system did in a dialogue, and how well."""
