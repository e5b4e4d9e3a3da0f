"""The `facewire` command line: each command is a module."""
