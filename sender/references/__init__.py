"""Which pictures are sent beside motion: what they lose, which are known, which come next."""
