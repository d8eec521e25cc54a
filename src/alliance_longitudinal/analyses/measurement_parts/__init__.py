"""Reliability and structure of a questionnaire: alpha, omega, change reliability, raters, factor models."""
