"""What models with latent vectors are made of: Gaussians, bounds, annealing, sentences."""
