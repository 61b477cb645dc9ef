"""Media: finding files and decoding them. No encoders, no store."""
