"""The store: a SQL catalog that is the truth, and a vector index that can be rebuilt from it."""
