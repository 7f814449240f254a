"""How fast a chain is, what bounds it, and what it would need to be faster."""
