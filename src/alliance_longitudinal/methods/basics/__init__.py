"""What every method needs: checks of a frame, small inference, proportions."""
