"""The sending side: pictures and sound in, packets out (extra `[encode]`)."""
