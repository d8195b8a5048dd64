"""The programs that take orders, one for each peer; each runs where its peer is installed, and nothing else."""
