"""For which values of a moderator, and under which choices of the analysis, an effect holds."""
