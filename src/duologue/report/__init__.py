"""What people look at: a dialogue as text and as a picture, a corpus as a page."""
