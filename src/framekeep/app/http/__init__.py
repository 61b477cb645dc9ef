"""The app's own routes and guards, without Streamlit: thumbnails, media, uploads, sign-in."""
