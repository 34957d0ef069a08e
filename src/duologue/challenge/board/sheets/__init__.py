"""What a leaderboard keeps of a score card: the value of every item, from which the total is computed again."""
