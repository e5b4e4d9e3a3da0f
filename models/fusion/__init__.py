"""The fusion network: one picture of a generated one and of a coded base layer."""
