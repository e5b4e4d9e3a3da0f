"""The motion, the pictures and the sound of one stream."""
