"""The entry for `streamlit run app.py`; `framekeep app` opens the same app."""

import streamlit as st

from framekeep.app import asgi

app = st.App(asgi.SCRIPT, **asgi.options())
