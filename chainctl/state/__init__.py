"""Releases in; their numbered history out, kept in plain files of the user's state directory."""
