"""Camera, microphone, loudspeaker and screen of a call, or files in their place."""
