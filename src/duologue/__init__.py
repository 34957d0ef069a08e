"""Duologue: build, guard and score spoken-dialogue challenge datasets."""
