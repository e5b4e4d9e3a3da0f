"""The `facewire` command line: a module a command."""
