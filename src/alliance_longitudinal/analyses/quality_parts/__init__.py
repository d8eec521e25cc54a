"""Parts of the data-quality report: the checks, one kind a file, and how they are shown."""
