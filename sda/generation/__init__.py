"""New sound from a trained model."""
