"""Every report of a grid, in one folder with an index."""
