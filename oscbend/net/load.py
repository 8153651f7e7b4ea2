"""Checkpoints -> models: folders in diffusers' format, single files, LoRA, small decoders.

Everything that goes wrong here ends in `BadModel` with one line. Loading makes new modules and touches
no others, so a model that is being played goes on.
"""

from __future__ import annotations

import inspect
import os
import re
import shutil
import socket
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import diffusers
import torch
import transformers
from huggingface_hub import constants, snapshot_download

from oscbend.errors import BadModel, one_line
from oscbend.net import architectures, checkpoint
from oscbend.net.compiled import Compiler
from oscbend.net.model import Model
from oscbend.net.text import Prompts

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
CONNECT_S = 3.0
"""How long to wait for an answer from the hub before saying that there is none."""

CONFIGS = {
    "sd1": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "sd2": "stabilityai/stable-diffusion-2-1",
    "sdxl": "stabilityai/stable-diffusion-xl-base-1.0",
}
"""Where the configuration of a single file comes from if nobody gives one."""

DOWN_BLOCKS = {"DownBlock2D", "CrossAttnDownBlock2D"}
UP_BLOCKS = {"UpBlock2D", "CrossAttnUpBlock2D"}
MIDDLES = {"UNetMidBlock2DCrossAttn", None}


def load(
    name: str,
    *,
    device: str | None = None,
    dtype: torch.dtype | None = None,
    vae_dtype: torch.dtype | None = None,
    memory_format: torch.memory_format | None = None,
    config: str | None = None,
    loras: Sequence[tuple[str, float]] = (),
    decoder: str | None = None,
    allow_pickle: bool = False,
    compile: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Model:
    """Loads a model.

    Args:
        name: `tiny` (built in), a folder in diffusers' format, a single file, a name on the hub, or
            `random:sd15` and the like (`architectures`, for benchmarks).
        device: `cuda`, `mps` or `cpu`; by itself the first that is there.
        dtype: of the U-Net and text encoders; by itself float16, float32 on the CPU.
        vae_dtype: of the autoencoder; by itself as `dtype`, and wider where it is known to overflow.
        memory_format: in which the convolutions hold their tensors; by itself channels last, as a CPU and
            an NVIDIA card's tensor cores want them, and contiguous on a Mac.
        config: for a single file, a folder with the family's configuration.
        loras: LoRA files and how much of each.
        decoder: an AutoencoderTiny in the autoencoder's place: folder, hub name, or `random:taesd`.
        allow_pickle: also read files that can run code while they are read.
        compile: have its stages compiled, when `Compiler.compiling` lets them.
        say: is told, one line each, what becomes of compiling.

    Raises:
        BadModel: it cannot be loaded, and why, in one line.
    """
    _quieten()
    where = torch.device(device or best_device())
    precision = dtype or (torch.float32 if where.type == "cpu" else torch.float16)
    layout = memory_format or _layout(where)
    if architectures.is_random(name):
        pipe = architectures.pipeline(name, precision, with_vae=decoder is None)
    else:
        pipe = _pipeline(name, precision, config, allow_pickle)
    family = _family(name, pipe)
    for number, (path, amount) in enumerate(loras):
        _fuse(pipe, path, amount, number, allow_pickle)
    vae = pipe.vae if decoder is None else _decoder(decoder, precision, allow_pickle)
    wide = vae_dtype or (_wider(vae, precision, where) if family == "sdxl" else precision)
    vae = vae.to(device=where, dtype=wide, memory_format=layout).eval().requires_grad_(False)
    unet = pipe.unet.to(device=where, memory_format=layout).eval().requires_grad_(False)
    _remember_signatures(unet)
    seconds = family == "sdxl"
    encoders = [pipe.text_encoder, pipe.text_encoder_2] if seconds else [pipe.text_encoder]
    prompts = Prompts(
        [pipe.tokenizer, pipe.tokenizer_2] if seconds else [pipe.tokenizer],
        [encoder.to(where).eval().requires_grad_(False) for encoder in encoders],
        dtype=precision,
        zero_negative=bool(pipe.config.get("force_zeros_for_empty_prompt", False)),
    )
    return Model(
        key=name,
        family=family,
        unet=unet,
        vae=vae,
        prompts=prompts,
        scheduler=stated(pipe.scheduler.config),
        device=where,
        dtype=precision,
        vae_dtype=wide,
        memory_format=layout,
        compiler=Compiler(layout, where, say) if compile else None,
    )


def best_device() -> str:
    """`cuda`, `mps` or `cpu`: the first that is there."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def gpu_warning() -> str | None:
    """What to say if an NVIDIA card is here but this torch cannot use it; None if all is well."""
    if torch.version.cuda or getattr(torch.version, "hip", None):
        return None
    driver = [
        Path("/proc/driver/nvidia/version"),
        Path(os.environ.get("WINDIR", "/")) / "System32/nvcuda.dll",
    ]
    if not shutil.which("nvidia-smi") and not any(path.exists() for path in driver):
        return None
    return (
        "an NVIDIA card is here, but this torch was built for the CPU only, so everything will be slow; "
        f"remedy: install torch {torch.__version__.split('+')[0]} once more, by the line that "
        "https://pytorch.org/get-started/locally gives for your system with CUDA"
    )


def _quieten() -> None:
    """Keeps progress bars and advice for programmers off a musician's terminal."""
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module="diffusers")


def stated(config: Mapping[str, Any]) -> dict[str, Any]:
    """A scheduler's configuration without what its file left to the defaults of its class."""
    filled = config.get("_use_default_values", ())
    return {k: v for k, v in config.items() if k not in filled and not k.startswith("_")}


def _pipeline(name: str, dtype: torch.dtype, config: str | None, allow_pickle: bool) -> Any:
    if name == "tiny":
        from oscbend.tiny import folder

        return _from_folder(Path(folder()), dtype, allow_pickle)
    path = Path(name).expanduser()
    if path.is_dir():
        return _from_folder(path, dtype, allow_pickle)
    if path.is_file():
        return _from_file(path, dtype, config, allow_pickle)
    if not HUB_NAME.fullmatch(name) or path.suffix in checkpoint.SUFFIXES:
        raise BadModel(f"{name}: no such file or folder, and no name on the hub (those are owner/name)")
    return _from_hub(name, dtype, allow_pickle)


def _from_folder(folder: Path, dtype: torch.dtype, allow_pickle: bool) -> Any:
    variant = checkpoint.check_folder(folder, allow_pickle, prefer_half=dtype != torch.float32)
    return _translated(str(folder), lambda: _read(str(folder), dtype, variant, allow_pickle, local=True))


def _from_hub(name: str, dtype: torch.dtype, allow_pickle: bool) -> Any:
    """A model by its name on the hub: what was downloaded before, else downloaded now."""
    order = (None, "fp16") if dtype == torch.float32 else ("fp16", None)
    for variant in order:
        try:
            return _read(name, dtype, variant, allow_pickle, local=True)
        except (OSError, ValueError):
            continue
    need_hub(name)
    try:
        return _read(name, dtype, order[0], allow_pickle, local=False)
    except (OSError, ValueError):
        return _translated(name, lambda: _read(name, dtype, order[1], allow_pickle, local=False))


def _read(name: str, dtype: torch.dtype, variant: str | None, allow_pickle: bool, local: bool) -> Any:
    index = diffusers.DiffusionPipeline.load_config(name, local_files_only=local)
    kind = checkpoint.check_index(name, index)
    return diffusers.DiffusionPipeline.from_pretrained(
        name,
        torch_dtype=dtype,
        variant=variant,
        use_safetensors=None if allow_pickle else True,
        local_files_only=local,
        **_extras("XL" in kind),
    )


def _extras(xl: bool) -> dict[str, Any]:
    """What the pipelines load besides the model, and this program has no use for."""
    return {"add_watermarker": False} if xl else {"safety_checker": None, "requires_safety_checker": False}


def _from_file(path: Path, dtype: torch.dtype, config: str | None, allow_pickle: bool) -> Any:
    """A single file in the layout that Stable Diffusion came in."""
    family = checkpoint.check_file(path, allow_pickle)
    folder = Path(config) if config is not None else _hub_config(path, family)
    if not (folder / "model_index.json").is_file():
        raise BadModel(f"{folder}: not a folder with a model's configuration (no model_index.json)")
    name = "StableDiffusionXLPipeline" if family == "sdxl" else "StableDiffusionPipeline"
    cls = getattr(diffusers, name)
    return _translated(
        str(path),
        lambda: cls.from_single_file(
            str(path),
            config=str(folder),
            torch_dtype=dtype,
            local_files_only=True,
            **_extras(family == "sdxl"),
        ),
    )


def _hub_config(path: Path, family: str) -> Path:
    """The configuration of a family, from earlier downloads or from the hub."""
    wanted = ["*.json", "*/*.json", "*/*.txt"]
    try:
        return Path(snapshot_download(CONFIGS[family], allow_patterns=wanted, local_files_only=True))
    except OSError:
        need_hub(f"the configuration of {path.name}", ", or give --config with a folder that has it")
    return Path(
        _translated(CONFIGS[family], lambda: snapshot_download(CONFIGS[family], allow_patterns=wanted))
    )


def need_hub(what: str, otherwise: str = "") -> None:
    """Refuses at once when the hub cannot be reached.

    Raises:
        BadModel: offline by choice, or no answer within three seconds.
    """
    if constants.HF_HUB_OFFLINE:
        raise BadModel(f"{what}: not on this machine, and HF_HUB_OFFLINE forbids to download it{otherwise}")
    if getproxies():
        return
    url = urlsplit(constants.ENDPOINT)
    port = url.port or (80 if url.scheme == "http" else 443)
    try:
        socket.create_connection((url.hostname or "", port), CONNECT_S).close()
    except OSError:
        raise BadModel(
            f"{what}: not on this machine, and {url.hostname} cannot be reached{otherwise}"
        ) from None


def _family(name: str, pipe: Any) -> str:
    """`sd1`, `sd2` or `sdxl`.

    Raises:
        BadModel: a network that the walk does not know.
    """
    unet: Any = getattr(pipe, "unet", None)
    if type(unet).__name__ != "UNet2DConditionModel":
        raise BadModel(f"{name}: has no U-Net of Stable Diffusion 1, 2 or XL")
    config: Any = unet.config
    if config.in_channels != 4:
        raise BadModel(f"{name}: takes {config.in_channels} channels, not 4 (an inpainting or editing model)")
    known = (
        set(config.down_block_types) <= DOWN_BLOCKS
        and set(config.up_block_types) <= UP_BLOCKS
        and config.mid_block_type in MIDDLES
        and config.class_embed_type is None
        and config.encoder_hid_dim_type is None
        and config.addition_embed_type in ("text_time", None)
        and config.time_embedding_act_fn is None
        and not config.center_input_sample
    )
    if not known:
        raise BadModel(f"{name}: its U-Net is built of other blocks than Stable Diffusion 1, 2 and XL")
    if config.addition_embed_type is None:
        return "sd2" if config.cross_attention_dim == 1024 else "sd1"
    pooled = pipe.text_encoder_2.config.projection_dim
    if pipe.text_encoder is None or unet.add_embedding.linear_1.in_features != (
        6 * config.addition_time_embed_dim + pooled
    ):
        raise BadModel(f"{name}: an SDXL refiner, not a base model")
    return "sdxl"


def _fuse(pipe: Any, path: str, amount: float, number: int, allow_pickle: bool) -> None:
    """Adds a LoRA to the weights, so that it costs nothing while drawing."""
    checkpoint.check_lora(Path(path), allow_pickle)
    adapter = f"lora{number}"

    def fuse() -> None:
        pipe.load_lora_weights(path, adapter_name=adapter, weights_only=not allow_pickle)
        found = {part for part, adapters in pipe.get_list_adapters().items() if adapter in adapters}
        if not found:
            raise BadModel(f"{path}: a LoRA for another kind of model")
        pipe.fuse_lora(components=sorted(found), lora_scale=amount, adapter_names=[adapter], safe_fusing=True)
        pipe.unload_lora_weights()

    try:
        fuse()
    except BadModel:
        raise
    except Exception as error:
        raise BadModel(f"{path}: does not fit this model; a LoRA for another family?") from error


def _decoder(name: str, dtype: torch.dtype, allow_pickle: bool) -> Any:
    """An AutoencoderTiny from a folder or the hub, or a random one."""
    if architectures.is_random(name):
        return architectures.decoder(name, dtype)

    def read(local: bool) -> Any:
        return diffusers.AutoencoderTiny.from_pretrained(
            name,
            torch_dtype=dtype,
            local_files_only=local,
            use_safetensors=None if allow_pickle else True,
        )

    folder = Path(name)
    if not folder.is_dir():
        if not HUB_NAME.fullmatch(name):
            raise BadModel(f"{name}: no such folder, and no name on the hub (those are owner/name)")
        try:
            return read(local=True)
        except (OSError, ValueError):
            need_hub(name)
        return _translated(name, lambda: read(local=False))
    checkpoint.check_decoder(folder, allow_pickle)
    return _translated(name, lambda: read(local=True))


def _layout(device: torch.device) -> torch.memory_format:
    return torch.channels_last if device.type in ("cpu", "cuda") else torch.contiguous_format


def _remember_signatures(unet: Any) -> None:
    """Spares diffusers' attention from working out its processor's signature in every call.

    It asks `inspect.signature` each time, which takes 0.1 ms on a CPU: a thirtieth of a small network's step.
    """
    for kind in {type(processor) for processor in unet.attn_processors.values()}:
        call: Any = kind.__call__
        call.__signature__ = inspect.signature(call)


def _wider(vae: Any, dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """The precision of an SDXL autoencoder, which overflows in half precision if its configuration says so.

    The older families' never do, although their configurations, by default, say it too.
    """
    if dtype != torch.float16 or not vae.config.get("force_upcast", False):
        return dtype
    wide = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if wide else torch.float32


def _translated(name: str, read: Callable[[], Any]) -> Any:
    """What `read` gives; whatever the libraries raise becomes one line."""
    try:
        return read()
    except BadModel:
        raise
    except Exception as error:
        raise BadModel(f"{name}: {one_line(error)}") from error
