"""The corrected profile, the default: every expected item counts and every event is judged by rules."""
