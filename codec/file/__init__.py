"""The `.fwire` file: records with checksums, an index, and what the bits went to."""
