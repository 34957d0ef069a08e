"""The live harness: a person's side of a full-duplex call, against any system."""
