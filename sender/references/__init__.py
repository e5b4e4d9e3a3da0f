"""The pictures that motion animates: what they lose, which are known, and which come next."""
