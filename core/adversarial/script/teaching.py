"""The code of transfer: a network of one's own that learns the answers, and is climbed on."""

from core.adversarial import Attack
from core.adversarial.portions import portion
from core.adversarial.script.climbing import STEPS, ball, gradient, loss
from core.adversarial.script.framing import QUICKEST, settings, written
from core.shared.models import About

__all__ = ["write_transfer"]

PROXY = """# The proxy: a network of one's own, that learns what the network answers to pictures.
draws = torch.Generator().manual_seed({seed})
chosen = torch.randperm(len(learnt.training), generator=draws)[:1_000]
pictures = learnt.training.images[chosen]
deviation, mean = torch.std_mean(pictures.double(), correction=0)
"""
ANSWERS = """def answers(images):
    return torch.cat([network(few) for few in images.split({many})])
"""
LEARN = """def learn(images, logits):
    targets = logits - logits.mean(1, keepdim=True)  # softmax does not see a shift
    targets = targets / targets.square().mean().sqrt().clamp(min=1e-12)
    adam = torch.optim.Adam(proxy.parameters(), 0.002)
    for _ in range(4):
        for batch in torch.randperm(len(images), generator=draws).split(50):
            adam.zero_grad()
            F.mse_loss(proxy(images[batch]), targets[batch]).backward()
            adam.step()
"""
MOVE = """def towards_boundary(images, labels):  # where the proxy's own answer changes
    images = images.detach().requires_grad_()
    logits = proxy(images)
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    (gradient,) = torch.autograd.grad((own - others).sum(), images)
    return (images - 0.1 * gradient.sign()).detach().clamp(0, 1)
"""
TAUGHT = """proxy = networks.build(
    "conv8-k5-p2-relu,mean2,conv16-k5-p2-relu,mean2,fc64-relu",
    draws,
    shape={shape},
    classes={classes},
    mean=mean.item(),
    deviation=max(0.05, deviation.item()),
    initialisation="he",
)
told = answers(pictures)
learn(pictures, told)
pairs = zip(pictures.split({many}), told.argmax(1).split({many}), strict=True)
moved = torch.cat([towards_boundary(*pair) for pair in pairs])
learn(torch.cat([pictures, moved]), torch.cat([told, answers(moved)]))
proxy.requires_grad_(False).eval()
"""


def write_transfer(config: Attack, about: About) -> tuple[str, list[str]]:
    """Write how a proxy is taught and climbed on; give the settings and the functions.

    Args:
        config: how.
        about: the network.

    Raises: ValueError when the data that it learned from are not here.
    """
    if not about.data:
        raise ValueError(f"network must be one whose data are here, got {about.title}")
    assigned = settings(
        epsilon=written(config.epsilon, config.norm),
        steps=config.steps,
        step_size=written(config.length, config.norm),
    )
    many = portion(about.shape)
    taught = TAUGHT.format(shape=about.shape, classes=len(about.classes), many=many)
    # The network judges where the proxy's gradient leads; it is asked for none.
    steps = STEPS.format(source="", start="images = clean", logits="network(images)")
    return assigned, [
        QUICKEST,
        PROXY.format(seed=config.seed),
        ANSWERS.format(many=many),
        LEARN,
        MOVE,
        taught,
        loss(config),
        gradient(config, "proxy"),
        *ball(config),
        steps.replace("gradient, logits", "gradient, _"),
    ]
