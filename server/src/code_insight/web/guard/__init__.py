"""What stands between the internet and the application: who may ask, how much, how fast; and what is written down.

Imports nothing heavy: it answers before the rest is loaded.
"""
