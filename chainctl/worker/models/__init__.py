"""The configuration of a Truss directory in; its model, or the server of its image, with its files, out."""
