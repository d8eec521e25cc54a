"""Evidence of several studies put together."""
