"""What a stream may take: its rate, and what a rate buys."""
