"""What turns motion into pictures: the protocol, and the runtimes that implement it."""
