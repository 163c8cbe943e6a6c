"""Scores what Rehear predicted against what users meant, with baselines and confidence intervals."""
