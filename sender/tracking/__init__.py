"""From video frames to the crop and the landmarks of one followed face."""
