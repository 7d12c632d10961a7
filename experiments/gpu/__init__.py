"""What a training step costs on a GPU, by size, batch, precision and way; see README.md."""
