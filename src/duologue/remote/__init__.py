"""Parts that run elsewhere, behind their ecosystem's common interface: OpenAI-compatible endpoints and their cache."""
