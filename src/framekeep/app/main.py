"""The app's frame: theme, navigation, and what every page shows. Streamlit runs this script."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from framekeep.app.state import context
from framekeep.app.views.dialogs import OPEN, say_what_was_done
from framekeep.app.views.edits import undo_bar
from framekeep.app.views.frame import style
from framekeep.app.views.sidebar import status
from framekeep.app.views.sign_in import require_user, sign_out_button

ICON = Path(__file__).with_name("icon.png")
LOGO = Path(__file__).with_name("logo.svg")

st.set_page_config(page_title="framekeep", page_icon=str(ICON), layout="wide")
style()
st.logo(str(LOGO), size="large")
require_user(context().parts)
pages = [
    st.Page("app_pages/search.py", title="Search", icon=":material/search:", default=True),
    st.Page("app_pages/add.py", title="Add", icon=":material/add_photo_alternate:"),
    st.Page("app_pages/library.py", title="Library", icon=":material/photo_library:"),
    st.Page("app_pages/objects.py", title="Objects", icon=":material/category:"),
    st.Page("app_pages/annotate.py", title="Annotate", icon=":material/draw:"),
    st.Page("app_pages/datasets.py", title="Datasets", icon=":material/dataset:"),
    st.Page("app_pages/statistics.py", title="Statistics", icon=":material/monitoring:"),
    st.Page("app_pages/settings.py", title="Settings", icon=":material/settings:"),
]
page = st.navigation(pages)
st.set_page_config(page_title=f"{page.title} · framekeep")
st.session_state[OPEN] = False
# A whole run shows what there is now: beginning it anew would lose the click that it is for.
for noticed in ("generation", "ended_jobs"):
    st.session_state.pop(noticed, None)
st.session_state["came_from"] = st.session_state.get("page")
st.session_state["page"] = page.url_path or "search"
with st.sidebar:
    status()
    sign_out_button(context().parts)
page.run()
undo_bar()
say_what_was_done()
