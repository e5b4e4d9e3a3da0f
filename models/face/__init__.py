"""What is known of faces: the mesh, keypoints in closed form, landmarks rebuilt from them."""
