"""What a planned study can find, in closed form."""
