"""Judgements that rules cannot make: rubrics, judges behind chat endpoints, and their verdicts."""
