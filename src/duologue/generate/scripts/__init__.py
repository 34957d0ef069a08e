"""Embedded writers of scripts, one folder a track, native in each language."""
