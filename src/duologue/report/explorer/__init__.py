"""A corpus, or a sample of it, as one HTML file to search, hear and read offline."""
