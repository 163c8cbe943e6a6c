"""What evaluations share: splits, intervals, pictures, baselines that read any log."""
