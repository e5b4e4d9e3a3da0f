"""Sound on the wire: Opus."""
