"""Priors: where new paths through a latent space come from. They see latents only, never sound."""
