"""How good a corpus is: the figures that a paper about it would print, and the worst of its items."""
