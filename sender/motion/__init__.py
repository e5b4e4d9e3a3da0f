"""Turns observed faces into motion on the wire."""
