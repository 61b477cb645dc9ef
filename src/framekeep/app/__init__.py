"""The web app: Streamlit's pages on top of `Library` and `Jobs`, with routes of its own."""
