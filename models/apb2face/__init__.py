"""APB2Face (Zhang et al., ICASSP 2020): a face's geometry from sound, head pose and blinks."""
