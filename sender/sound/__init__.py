"""Sound to packets, each piece at its time."""
