"""What measures are called in words; it imports nothing, so that a verdict can be told without the measures."""

EMBEDDINGS = {"hand_made": "timbre and movement", "aisfx": "the sound-effect network"}
"""What likeness is judged by, in words."""
