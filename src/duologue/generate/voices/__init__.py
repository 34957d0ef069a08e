"""Synthesisers behind one protocol."""
