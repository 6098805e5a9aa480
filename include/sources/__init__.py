"""The vocabulary in which a source is described."""
