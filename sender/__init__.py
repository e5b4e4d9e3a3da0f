"""The sending side: pictures and sound in, packets out. It needs the extra `[encode]`."""
