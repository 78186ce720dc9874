"""What the saliency panel draws."""
