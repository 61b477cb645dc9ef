"""The frame's looks: what the theme's settings cannot say."""

from __future__ import annotations

import streamlit as st

CSS = """
<style>
:root { color-scheme: light dark; }
[data-testid="stHeader"] { background: transparent; height: 2.75rem; min-height: 2.75rem; }
[data-testid="stMainBlockContainer"] { padding: 2.6rem 2rem 3rem; max-width: none; }
[data-testid="stAppDeployButton"], [data-testid="stStatusWidget"] svg { display: none; }
[data-testid="stSidebarUserContent"] { padding-bottom: 2rem; }
[data-testid="stMain"] h1 { padding-top: 0; }
.fk-facts { display: grid; grid-template-columns: minmax(90px, auto) 1fr; gap: 0;
  margin: 0 !important; padding: 0 !important; }
button[data-selected="true"] *, [data-testid="stSliderThumbValue"] * {
  color: light-dark(#1f2328, #e8e9ec) !important;
}
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] * {
  color: light-dark(#57606a, #a4abb6) !important; opacity: 1 !important;
}
.fk-bars { display: grid; grid-template-columns: minmax(60px, auto) 1fr auto; gap: 4px 10px;
  align-items: center; font-size: 0.9rem; }
.fk-bars a { color: inherit; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  max-width: 190px; }
.fk-bars i { display: block; height: 14px; border-radius: 3px; background: #4c6ef5; }
.fk-bars b { font-weight: 500; font-variant-numeric: tabular-nums; text-align: right; }
.fk-table { overflow: auto; border: 1px solid #8884; border-radius: 8px; }
.fk-table table { border-collapse: collapse; width: 100%; font-size: 0.9rem; margin: 0; }
.fk-table th, .fk-table td { text-align: left; padding: 7px 10px; vertical-align: top;
  border-bottom: 1px solid #8883; overflow-wrap: anywhere; white-space: pre-line; }
.fk-table th { font-weight: 600; }
.fk-spark { width: 100%; height: 120px; display: block; }
.fk-facts dt, .fk-facts dd {
  padding: 6px 0; margin: 0; border-bottom: 1px solid #8884;
}
.fk-facts dt { padding-right: 20px; font-weight: 600; }
.fk-facts dd { overflow-wrap: anywhere; }
[class*="st-key-"][class*="_bar"] { min-height: 44px; }
.fk-class { overflow-wrap: anywhere; }
.fk-class a { color: inherit; font-weight: 600; text-decoration: underline; }
.fk-class i { display: inline-block; width: 18px; height: 18px; border-radius: 5px;
  border: 1px solid #8886; vertical-align: -3px; margin-right: 10px; }
.fk-samples { display: grid; gap: 8px;
  grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); }
.fk-samples img { width: 100%; height: 170px; object-fit: contain; border-radius: 6px;
  background: #8882; display: block; }
.st-key-undo { position: fixed; bottom: 20px; left: 50%; transform: translateX(-50%);
  z-index: 999; width: max-content !important; max-width: calc(100vw - 24px);
  padding: 6px 8px 6px 16px;
  border-radius: 12px; background: light-dark(#ffffff, #22252b);
  border: 1px solid light-dark(#d5d9df, #363a42); box-shadow: 0 6px 24px rgba(0, 0, 0, 0.28); }
.st-key-chips { min-height: 42px; }
@media (min-width: 900px) { [class*="st-key-"][class*="_bar"] { height: 44px; } }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding: 2.6rem 0.8rem 2rem; }
  .st-key-searchbar > :first-child { flex: 1 1 100% !important; }
}
</style>
"""


def style() -> None:
    """Put the frame's styles into the page."""
    st.html(CSS)
