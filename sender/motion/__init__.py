"""Seen faces to motion on the wire."""
