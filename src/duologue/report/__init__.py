"""Pictures and HTML pages about corpora."""
