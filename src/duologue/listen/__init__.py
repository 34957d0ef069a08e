"""What can be heard in audio: segments, onsets, words, identity, prosody."""
