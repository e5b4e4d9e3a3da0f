"""Quality, measured: metrics, and a stream against its own frozen keyframe."""
