"""Sound files and signals: reading, mel spectrograms, augmentation, mel inversion."""
