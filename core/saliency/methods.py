"""Every way to explain: what it is called, what its numbers say, and what is known against it."""

from dataclasses import dataclass

__all__ = ["CONTROL", "FAMILIES", "MAPS", "MASKS", "METHODS", "ORDERS", "PIXELS", "Method"]

PIXELS, MAPS, MASKS, CONTROL = "gradient", "activation map", "perturbation", "control"
FAMILIES = (PIXELS, MAPS, MASKS, CONTROL)
ORDERS = VALUE, SIZE = "value", "size"  # by which a map puts pixels in order, the largest first


@dataclass(frozen=True, slots=True)
class Method:
    """One way to explain: what it is called, what its numbers say, which of a query it heeds."""

    title: str
    family: str  # one of FAMILIES
    says: str  # what a value of its map is, in a sentence
    unit: str  # of a value
    heeds: tuple[str, ...]  # the fields of `Query` besides target, against and melted; the
    # seed where it draws, and any does whose baseline is noise
    paper: str
    baseline: str = ""  # its usual one
    complete: bool = False  # its values add up to the score less the baseline's
    signed: bool = True  # whether a value below 0 can be
    order: str = VALUE  # one of ORDERS: SIZE where a sign says brighter or darker
    power: int = 1  # with n times the logits a value is n ** power times as large
    relative: bool = False  # only differences of its values say anything: 0 says nothing
    caution: str = ""  # what is known against it, in a sentence


METHODS = {
    "gradient": Method(
        "Gradient",
        PIXELS,
        "How fast the score rises with the pixel, black to white being one unit.",
        "logits per unit",
        (),
        "Simonyan, Vedaldi, Zisserman 2013, arXiv:1312.6034, section 3",
        order=SIZE,
        caution="It says what would change the answer from here, not what made it.",
    ),
    "gradient_input": Method(
        "Gradient × input",
        PIXELS,
        "How fast the score rises with the pixel, times the pixel: where that is 0 there is none.",
        "logits",
        (),
        "Shrikumar, Greenside, Shcherbina, Kundaje 2016, arXiv:1605.01713, section 2",
        caution="What is 0, black or without ink, has no part, whatever the network makes of it.",
    ),
    "smoothgrad": Method(
        "SmoothGrad",
        PIXELS,
        "How fast the score rises with the pixel: the mean over pictures with noise.",
        "logits per unit",
        ("samples", "deviation", "seed"),
        "Smilkov, Thorat, Kim, Viégas, Wattenberg 2017, arXiv:1706.03825, section 3",
        order=SIZE,
        caution="It speaks of pictures with noise, which the network may never have learned from.",
    ),
    "vargrad": Method(
        "VarGrad",
        PIXELS,
        "How much the gradient varies from one picture with noise to the next: its variance.",
        "(logits per unit)²",
        ("samples", "deviation", "seed"),
        "Adebayo, Gilmer, Goodfellow, Kim 2018, arXiv:1810.03307",
        signed=False,
        power=2,
        caution="It says where the gradient is unsteady, not whether the pixel speaks for the "
        "class or against it.",
    ),
    "integrated": Method(
        "Integrated gradients",
        PIXELS,
        "The gradient, averaged from the baseline to the picture, times what the pixel changes.",
        "logits",
        ("baseline", "steps"),
        "Sundararajan, Taly, Yan 2017, arXiv:1703.01365, equation 1",
        baseline="black",
        complete=True,
        caution="A pixel that is as in the baseline has no part: each baseline gives another map.",
    ),
    "expected": Method(
        "Expected gradients",
        PIXELS,
        "The gradient on the way from other pictures to this, times what the pixel differs by.",
        "logits",
        ("samples", "seed"),
        "Erion, Janizek, Sturmfels, Lundberg, Lee 2021, arXiv:1906.10670, section 2.2",
        complete=True,
        caution="It adds up on average over the draw alone: what is missing is sampling error. "
        "Where the training images are not here, the built-in photographs are the baselines.",
    ),
    "deeplift": Method(
        "DeepLIFT",
        PIXELS,
        "What the pixel adds to the score, as each unit differs from the baseline's: Rescale rule.",
        "logits",
        ("baseline",),
        "Shrikumar, Greenside, Kundaje 2017, arXiv:1704.02685, sections 3.2 and 3.5.1",
        baseline="black",
        complete=True,
        caution="Another network that computes the same function may get another map.",
    ),
    "guided": Method(
        "Guided backpropagation",
        PIXELS,
        "A gradient of which each ReLU lets pass only what is above 0, value and slope.",
        "logits per unit",
        (),
        "Springenberg, Dosovitskiy, Brox, Riedmiller 2014, arXiv:1412.6806, section 3.4",
        order=SIZE,
        caution="It barely depends on the weights: it restores edges of the picture, and does so "
        "after the network has melted (Adebayo et al. 2018, Nie et al. 2018).",
    ),
    "deconvnet": Method(
        "Deconvnet",
        PIXELS,
        "A gradient of which each ReLU lets pass the slopes above 0, whatever its value.",
        "logits per unit",
        (),
        "Zeiler, Fergus 2013, arXiv:1311.2901, section 2.1",
        order=SIZE,
        caution="It barely depends on the class or the weights (Nie et al. 2018), and without "
        "pooling not even on the picture.",
    ),
    "gradcam": Method(
        "Grad-CAM",
        MAPS,
        "The maps of a layer there, each times the mean of its gradient; below 0 is cut off.",
        "logits",
        ("layer",),
        "Selvaraju et al. 2016, arXiv:1610.02391, equations 1 and 2",
        signed=False,
        caution="The mean forgets where the gradient was: places can light up that play no part.",
    ),
    "gradcampp": Method(
        "Grad-CAM++",
        MAPS,
        "The maps of a layer there, each times a weighted sum of its gradient above 0.",
        "logits",
        ("layer",),
        "Chattopadhyay, Sarkar, Howlader, Balasubramanian 2017, arXiv:1710.11063, section 3",
        signed=False,
        caution="Its weights are meant for maps that are never below 0, as behind a ReLU.",
    ),
    "hirescam": Method(
        "HiResCAM",
        MAPS,
        "The maps of a layer there, each times its gradient there.",
        "logits",
        ("layer",),
        "Draelos, Carin 2020, arXiv:2011.08891, section 3",
        caution="It adds up to the score, less a bias, only where the rest of the network is "
        "linear.",
    ),
    "layercam": Method(
        "LayerCAM",
        MAPS,
        "The maps of a layer there, each times its gradient there where that is above 0.",
        "logits",
        ("layer",),
        "Jiang, Zhang, Hou, Cheng, Wei 2021, LayerCAM, section III",
        signed=False,
        caution="What speaks against the class is left out, so it is no balance of the two.",
    ),
    "scorecam": Method(
        "Score-CAM",
        MAPS,
        "The maps of a layer there, each times its share by the score of what it lets through.",
        "units of the layer",
        ("layer", "baseline"),
        "Wang et al. 2019, arXiv:1910.01279, algorithm 1",
        baseline="black",
        signed=False,
        power=0,
        caution="The softmax of logits lets few maps speak; half-hidden pictures are unlike any "
        "that the network has seen.",
    ),
    "guided_gradcam": Method(
        "Guided Grad-CAM",
        PIXELS,
        "Guided backpropagation, times Grad-CAM there.",
        "logits² per unit",
        ("layer",),
        "Selvaraju et al. 2016, arXiv:1610.02391, section 3.2",
        order=SIZE,
        power=2,
        caution="What is sharp in it is guided backpropagation, which hardly asks for the class.",
    ),
    "occlusion": Method(
        "Occlusion",
        MASKS,
        "How much the score falls when a box hides the pixel, the mean over all such boxes.",
        "logits",
        ("size", "stride", "baseline"),
        "Zeiler, Fergus 2013, arXiv:1311.2901, section 4.2",
        baseline="grey",
        caution="The box is new to the network, and its edges are something to see as well.",
    ),
    "rise": Method(
        "RISE",
        MASKS,
        "The mean score of the pictures in which random masks let the pixel be seen.",
        "logits",
        ("masks", "cells", "baseline", "seed"),
        "Petsiuk, Das, Saenko 2018, arXiv:1806.07421, equation 6",
        baseline="black",
        relative=True,
        caution="Its 0 means nothing, only differences do; with few masks they drown in noise.",
    ),
    "lime": Method(
        "LIME",
        MASKS,
        "The weight of the superpixel in a sum that stands for the network near the picture, "
        "spread over its pixels.",
        "logits",
        ("masks", "segments", "baseline", "seed"),
        "Ribeiro, Singh, Guestrin 2016, arXiv:1602.04938, section 3",
        baseline="grey",
        caution="It is worth as much as the sum is faithful: see R².",
    ),
    "kernelshap": Method(
        "KernelSHAP",
        MASKS,
        "The fair share of the superpixel in the score (its Shapley value), spread over its "
        "pixels.",
        "logits",
        ("masks", "segments", "baseline", "seed"),
        "Lundberg, Lee 2017, arXiv:1705.07874, section 4.1",
        baseline="grey",
        complete=True,
        caution="With fewer masks than coalitions it is an estimate, another for each seed.",
    ),
    "rollout": Method(
        "Attention rollout",
        MAPS,
        "How much of the patch flows into the class token through the attention of all blocks.",
        "share",
        (),
        "Abnar, Zuidema 2020, arXiv:2005.00928, section 3",
        signed=False,
        power=0,
        caution="It is the same for every class, and knows nothing of what the values carry.",
    ),
    "edges": Method(
        "Edges",
        CONTROL,
        "How sharp an edge of the picture there is; the network is not asked.",
        "none",
        (),
        "Adebayo et al. 2018, arXiv:1810.03292, section 5",
        signed=False,
        power=0,
        caution="It explains nothing: it is the same for every network and every class.",
    ),
    "random": Method(
        "Random",
        CONTROL,
        "A number drawn from 0 to 1; neither the network nor the picture is asked.",
        "none",
        ("seed",),
        "Hooker, Erhan, Kindermans, Kim 2018, arXiv:1806.10758, section 3",
        signed=False,
        power=0,
        caution="It explains nothing.",
    ),
    "blob": Method(
        "Centre",
        CONTROL,
        "How near the pixel is to the middle; neither the network nor the picture is asked.",
        "none",
        (),
        "Judd, Ehinger, Durand, Torralba 2009, the distance to the centre",
        signed=False,
        power=0,
        caution="It explains nothing: photographers put in the middle what they mean.",
    ),
}
