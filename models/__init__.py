"""Networks and what they need: landmarks, mel, weights; numpy alone until `avfr` is imported."""
