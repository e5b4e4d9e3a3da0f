"""Pictures on the wire: stills, pictures coded after another one, and fitting to a size."""
