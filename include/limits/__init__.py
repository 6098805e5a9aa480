"""How often an upstream may be asked, kept by all processes together."""
