"""What was received, in time: sound for the loudspeaker, and the picture that belongs to it."""
