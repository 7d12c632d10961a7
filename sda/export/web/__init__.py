"""A page that makes sound in a browser: the decoder, what a prior drew, and the map of what it remembers."""
