"""The commands: one answer format, one file a command."""
