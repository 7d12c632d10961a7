"""A trained model leaves its run's folder: one function and one row of `formats.FORMATS` for each format."""
