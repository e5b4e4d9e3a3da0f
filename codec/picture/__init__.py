"""Pictures on the wire: still codecs, pictures coded after another one, fitting to a size."""
