"""Standard errors, degrees of freedom, intervals and tests of a fit."""
