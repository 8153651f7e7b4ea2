"""How the built-in model is built and how long it is trained: every number of the recipe in one place."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shape:
    """Widths and depths of the four networks."""

    picture: int = 256  # pixels a side
    vae_encoder_width: int = 64
    vae_encoder_blocks: tuple[int, ...] = (0, 0, 3, 4)  # from full resolution down to 1/8
    vae_decoder_width: int = 32
    vae_decoder_blocks: tuple[int, ...] = (6, 4, 1, 0)  # from 1/8 up to full resolution
    unet_widths: tuple[int, ...] = (64, 96, 160)
    unet_groups: int = 8
    heads: int = 4
    text_width: int = 128  # also the width of cross-attention
    text_layers: int = 2
    text_length: int = 32  # tokens, with the two at the ends

    @property
    def latent(self) -> int:
        """Cells of a latent's side."""
        return self.picture // 8


@dataclass(frozen=True)
class Course:
    """The length, batch and learning rate of one stretch of training."""

    steps: int
    batch: int
    rate: float
    warm_up: int = 100


HARD = 1.8  # how often the U-Net sees these subjects, for each time that it sees another
HARD_SUBJECTS = frozenset(
    {"rings", "starry night", "crane bird", "crane machine", "bass fish", "bass instrument", "mesh", "shapes"}
)


@dataclass(frozen=True)
class Recipe:
    """All of the training: what is painted, and how long each network learns."""

    seed: int = 0
    pictures: int = 12000
    shape: Shape = field(default_factory=Shape)
    autoencoder: Course = Course(steps=4800, batch=16, rate=8e-4)
    crop: int = 128  # pixels a side, of the autoencoder's training pictures
    small: Course = Course(steps=2600, batch=32, rate=1.2e-3)  # U-Net on half-size pictures
    full: Course = Course(steps=7000, batch=32, rate=1e-3)  # U-Net on whole pictures
    fold: Course = Course(steps=130, batch=32, rate=2e-4, warm_up=20)  # guidance into the network
    leap: Course = Course(steps=370, batch=32, rate=2e-4, warm_up=20)  # many steps into few
    polish: Course = Course(steps=500, batch=16, rate=6e-4)  # the decoder alone
    guidance: float = 2.5
    workers: int = 2  # processes, of one thread each
    save_every_s: float = 240.0


MINIATURE = Recipe(
    pictures=16,
    shape=Shape(
        picture=64,
        vae_encoder_width=8,
        vae_decoder_width=8,
        vae_encoder_blocks=(0, 1, 1, 1),
        vae_decoder_blocks=(1, 1, 1, 0),
        unet_widths=(8, 16, 16),
        unet_groups=4,
        heads=2,
        text_width=16,
        text_layers=1,
        text_length=16,
    ),
    autoencoder=Course(steps=4, batch=2, rate=1e-4),
    crop=32,
    small=Course(steps=3, batch=2, rate=1e-4),
    full=Course(steps=3, batch=2, rate=1e-4),
    fold=Course(steps=2, batch=2, rate=1e-4),
    leap=Course(steps=3, batch=2, rate=1e-4),
    polish=Course(steps=2, batch=2, rate=1e-4),
    workers=1,
    save_every_s=0.0,
)
"""A recipe that runs in seconds and draws nothing: for tests of the training itself."""
