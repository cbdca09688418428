"""Estimators, one family a file: what they fit, what they predict, how they are stored."""
