"""The pieces of the early-alliance analysis: effects, sensitivity, figures, words."""
