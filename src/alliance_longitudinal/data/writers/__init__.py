"""Tables as files for other programs, with labels."""
