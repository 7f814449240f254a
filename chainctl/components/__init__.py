"""Components in; nodes (their encoded values), and runners of their hooks and triggers, out."""
