"""Linear mixed models; knows nothing of therapy."""
