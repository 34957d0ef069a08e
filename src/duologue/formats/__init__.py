"""One file a format, each able to import and/or export."""
