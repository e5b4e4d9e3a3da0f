"""The fusion network, which makes one picture of a generated one and one of a base layer."""
