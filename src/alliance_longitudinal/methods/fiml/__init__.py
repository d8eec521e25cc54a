"""Models of means and covariances by full-information maximum likelihood: one core for factors, panels and latent means."""
