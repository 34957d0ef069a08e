"""What can be read in text: its language, its words, its meaning. No audio, no corpus."""
