"""The LLM writer: scripts by any OpenAI-compatible chat model, checked as all scripts are."""
