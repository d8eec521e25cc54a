"""How well risks and warnings predict an event in people who were not used to make them."""
