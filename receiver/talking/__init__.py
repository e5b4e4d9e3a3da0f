"""What moves a face where no motion arrives: the mouth as the sound tells it."""
