"""What is said once of measures, marts and the index, and asked for by everyone else."""
