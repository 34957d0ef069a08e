"""A challenge's leaderboard: what was submitted, what it scored, who decided what, and when. Nothing is overwritten."""
