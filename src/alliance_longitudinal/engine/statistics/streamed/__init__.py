"""Statistics summed over batches of rows."""
