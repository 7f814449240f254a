"""What users write with: declarations in, frozen values about chainlets out. No input or output here."""
