"""A team's submission: a zip of untrusted bytes, checked before anything in it is believed or unpacked."""
