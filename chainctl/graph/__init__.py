"""A chain file in; a checked ChainGraph, or all problems of the chain, out. User code runs in a child."""
