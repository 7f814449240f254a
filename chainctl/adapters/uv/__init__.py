"""What chainlets want in; their packages, as uv finds them, out."""
