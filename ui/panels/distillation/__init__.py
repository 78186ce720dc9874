"""The panel of distillation."""
