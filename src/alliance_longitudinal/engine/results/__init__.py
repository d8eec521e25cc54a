"""The objects that users hold: one base, and what linear, generalised and pooled results add to it."""
