"""Pages that move by themselves, and what to do when the engine says no."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.shared.engine import EngineError

__all__ = ["trying"]


def trying(do: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Do it; when it cannot be done, show the one sentence that says why and give None."""
    try:
        return do(*arguments, **named)
    except (EngineError, ValueError) as error:
        st.toast(str(error), icon=":material/error:", duration="long")
        return None
