"""How a scene sounds: noise, rooms, levels, lines."""
