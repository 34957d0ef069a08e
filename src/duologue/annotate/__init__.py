"""Annotation: what audio tells by itself, and what people say about a dialogue, from items sent out to decided gold."""
