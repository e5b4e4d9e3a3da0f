"""The face: its mesh, the keypoints computed from it, and landmarks rebuilt from keypoints."""
