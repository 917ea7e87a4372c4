"""What models with latent codes are made of: Gaussians, bounds, annealing, sentences."""
