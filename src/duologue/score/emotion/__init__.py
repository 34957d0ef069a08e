"""Track 1 without a judge: trajectories, causes, recognition, expression, multiple choice."""
