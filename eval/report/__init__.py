"""The report: one HTML page made from results alone."""
