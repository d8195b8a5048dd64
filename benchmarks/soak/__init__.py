"""Tasks at a steady rate for a long time: does anything grow that should not?"""
