"""APB2FaceV2 (Zhang et al., ICASSP 2021): faces of many people from sound, head pose and blinks."""
