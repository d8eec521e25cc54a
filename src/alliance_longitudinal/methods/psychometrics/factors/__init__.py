"""Factor models by full-information maximum likelihood."""
