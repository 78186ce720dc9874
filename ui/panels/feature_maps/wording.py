"""The second panel's words: what to try, and the formulae of the layers."""

__all__ = ["FORMULAE", "LESSONS"]

LESSONS = """
1. **From strokes to classes.** Leaf through the test images with the slider while the first
   convolution is chosen, then while the last is: the first one's maps still show the picture, the
   last one's are a few spots. Open *Layers as spaces* for both: at the first the digits lie mixed,
   at the last in ten heaps.
2. **One number, both ways.** Click a pixel of the first
   convolution: a handful of products is its value, to the last
   digit that the network has. Click one of the weights: its gradient is a sum too, one
   product for each place where it took part. Change η and see the step.
3. **What is it for?** In *This map* look at the nine images that excite it most, silence it, and
   see which class suffers.
"""
FORMULAE = (
    (
        "Convolution, stride s, padding p, dilation d",
        (
            r"y_{o,i,j} = b_o + \sum_{c,k,l} w_{o,c,k,l}\; x_{c,\;s i - p + d k,\;s j - p + d l}",
            r"n' = \left\lfloor\frac{n + 2p - d\,(k-1) - 1}{s}\right\rfloor + 1",
        ),
    ),
    (
        "Backwards: δ is the loss's gradient at the output",
        (
            r"\frac{\partial L}{\partial w_{o,c,k,l}} = \sum_{i,j} \delta_{o,i,j}\; x_{c,\;s i - p + d k,\;s j - p + d l}",  # noqa: E501
            r"w \leftarrow w - \eta\,\frac{\partial L}{\partial w}",
        ),
    ),
    (
        "Receptive field: size r and jump j of each layer",
        (r"r' = r + (k-1)\,d\,j \qquad j' = j\,s",),
    ),
    (
        "Batch normalisation at rest, softmax, entropy",
        (
            r"y = \gamma\,\frac{x-\mu}{\sqrt{\sigma^2+\epsilon}}+\beta",
            r"p_k = \frac{e^{z_k}}{\sum_j e^{z_j}} \qquad H = -\sum_k p_k \ln p_k",
        ),
    ),
)
