"""The floor of `bench.latency`: a Streamlit page with one slider, one chart, nothing else."""

import pandas as pd
import streamlit as st

SPEC = {
    "mark": "line",
    "encoding": {
        "x": {"field": "x", "type": "quantitative"},
        "y": {"field": "y", "type": "quantitative", "scale": {"domain": [0, 1000]}},
    },
}

value = st.slider("Value", 0, 10, 5, key="floor_value")
st.vega_lite_chart(pd.DataFrame({"x": range(100), "y": [x * value for x in range(100)]}), SPEC)
