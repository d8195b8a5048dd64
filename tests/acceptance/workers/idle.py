"""A module without Workers."""
