"""Events in a series of ratings: drops, signals of control charts, repairs, and how many chance would give."""
