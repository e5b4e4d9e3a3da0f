"""Networks, and the landmarks, log-mel and weights that they need. Some of `avfr` needs torch."""
