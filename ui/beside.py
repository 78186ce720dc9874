"""What a panel's code needs beside it: where it is saved, and the picture that it reads."""

import io

import numpy as np
import streamlit as st
from jaxtyping import Float

__all__ = ["PICTURE", "offer_picture"]

PICTURE = "picture.npy"


def offer_picture(pixels: Float[np.ndarray, "c h w"], key: str, which: str, told: str) -> None:
    """Say how code is started, and offer the picture.

    Args:
        pixels: that the code reads from PICTURE.
        key: of the button.
        which: of the texts below is to be saved, "it" where there is one.
        told: what the code does, in a clause.
    """
    st.markdown(
        f"Save {which} as a file in the repository's folder, with the picture beside it as "
        f"*{PICTURE}*, and start it there: {told}."
    )
    file = io.BytesIO()
    np.save(file, pixels)
    st.download_button(
        f"The picture as {PICTURE}",
        file.getvalue(),
        PICTURE,
        "application/octet-stream",
        icon=":material/download:",
        key=key,
        on_click="ignore",
    )
