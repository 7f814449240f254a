"""The type and the address of a chainlet in; an object whose calls go there, in time and with care, out."""
