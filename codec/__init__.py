"""The wire format: packets, motion, pictures, sound and files. No network, no torch."""
