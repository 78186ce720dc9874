"""Streamlit code that two pages or more need: the frame, the engine's handle, charts, controls."""
