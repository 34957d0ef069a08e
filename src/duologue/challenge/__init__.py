"""What an organiser does with scores: rankings, submissions."""
