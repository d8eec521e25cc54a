"""Statistics of crossed groups: eliminated by their graph."""
