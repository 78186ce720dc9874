"""The formulae of a panel, each under its title."""

from collections.abc import Sequence

import streamlit as st

__all__ = ["write_formulae"]


def write_formulae(formulae: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Write formulae, each a title and its lines in LaTeX."""
    for title, lines in formulae:
        st.markdown(f"**{title}**")
        for line in lines:
            st.latex(line)
