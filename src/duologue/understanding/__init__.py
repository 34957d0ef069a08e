"""A small baseline of both tracks' understanding tasks: words and prosody in, feelings, causes and events out."""
