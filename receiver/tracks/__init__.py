"""The pictures and the sound of one stream."""
