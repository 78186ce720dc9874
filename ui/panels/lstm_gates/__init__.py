"""The panel of LSTM gates."""
