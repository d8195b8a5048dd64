"""Load tests: one file per question asked."""
