from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import checkpoints
import numpy as np
import pytest
import single_file
import torch
from diffusers.models.attention_processor import Attention
from drawing import furthest, reference, structure, values
from safetensors.torch import load_file, save_file

from oscbend.engine import Engine
from oscbend.errors import BadModel
from oscbend.net import load as loading
from oscbend.net.load import load

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

Checkpoint = Callable[[str], Path]


def draw(name: object, **settings: Any) -> np.ndarray:
    s = structure(("multiply", "unet.mid.attn"))
    engine = Engine(load(str(name), device="cpu", **settings))
    return engine.render(s, values(s, ({"r": 2.0},))).pictures


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to, dirs_exist_ok=True)
    return to


@pytest.mark.parametrize(
    ("kind", "family"), [("sd1", "sd1"), ("sdxl", "sdxl"), ("lcm", "sd1"), ("tiny", "sd1")]
)
def test_a_folder_is_loaded_as_its_family(checkpoint: Checkpoint, kind: str, family: str) -> None:
    model = load(str(checkpoint(kind)), device="cpu")
    assert model.family == family
    assert model.key == str(checkpoint(kind))
    assert (model.dtype, model.vae_dtype) == (torch.float32, torch.float32)
    assert (model.guidance_width == 16) is (kind == "lcm")
    assert model.size == (64, 64)
    assert not any(p.requires_grad for p in model.unet.parameters())


def test_a_vae_that_overflows_in_half_precision_is_kept_wider(checkpoint: Checkpoint) -> None:
    xl = load(str(checkpoint("sdxl")), device="cpu", dtype=torch.float16)
    assert (xl.dtype, xl.vae_dtype) == (torch.float16, torch.float32)
    sd = load(str(checkpoint("sd1")), device="cpu", dtype=torch.float16)
    assert (sd.dtype, sd.vae_dtype) == (torch.float16, torch.float16)


def test_a_model_in_bfloat16_can_be_bent(checkpoint: Checkpoint) -> None:
    s = structure(("multiply", "unet.mid.attn"), ("noise", "skip.1"), sampler="euler", guided=True)
    engine = Engine(load(str(checkpoint("sdxl")), device="cpu", dtype=torch.bfloat16))
    drawn = engine.render(s, values(s, ({"r": 2.0}, {"r": 0.5})))
    assert drawn.finite.all()


@pytest.fixture(params=["sd1", "sdxl"])
def single(request: pytest.FixtureRequest, checkpoint: Checkpoint, tmp_path: Path) -> tuple[Path, Path]:
    """A single file in the original layout, and the folder that it was made from."""
    folder = checkpoint(request.param)
    return single_file.write(folder, tmp_path / "model.safetensors"), folder


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_all_attention_is_the_fused_one(
    checkpoint: Checkpoint, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fused, calls = torch.nn.functional.scaled_dot_product_attention, []

    def counted(*given: Any, **options: Any) -> Any:
        calls.append(given[0].shape)
        return fused(*given, **options)

    model = load(str(checkpoint(kind)), device="cpu")
    engine = Engine(model)
    s = structure(steps=1)
    engine.encode(*values(s).texts)
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counted)
    engine.submit(s, values(s))
    layers = [
        m for part in (model.unet, model.vae.decoder) for m in part.modules() if isinstance(m, Attention)
    ]
    assert len(calls) == len(layers) > 5


@pytest.mark.parametrize(
    ("device", "layout"),
    [("cpu", torch.channels_last), ("cuda", torch.channels_last), ("mps", torch.contiguous_format)],
)
def test_convolutions_get_the_layout_that_their_device_wants(
    device: str, layout: torch.memory_format
) -> None:
    assert loading._layout(torch.device(device)) is layout


def test_a_single_file_draws_what_its_folder_draws(single: tuple[Path, Path]) -> None:
    path, folder = single
    assert furthest(draw(path, config=str(folder)), draw(folder)) <= 1


def test_a_single_file_without_a_configuration_says_so_at_once(
    single: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _offline(monkeypatch, tmp_path)
    with pytest.raises(BadModel, match="--config") as caught:
        load(str(single[0]))
    assert _is_one_line(caught.value)


def test_a_lora_bends_the_weights_as_in_diffusers(checkpoint: Checkpoint, tmp_path: Path) -> None:
    lora = checkpoints.save_lora(checkpoint("sd1"), tmp_path / "lora.safetensors")
    s = structure()
    v = values(s)
    plain = Engine(load(str(checkpoint("sd1")), device="cpu")).render(s, v).pictures
    changed = (
        Engine(load(str(checkpoint("sd1")), device="cpu", loras=[(str(lora), 0.7)])).render(s, v).pictures
    )
    assert furthest(plain, changed) > 2
    theirs = reference(checkpoint("sd1"), s, v, prepare=lambda pipe: _with_lora(pipe, lora, 0.7))
    assert furthest(changed, theirs) <= 1


def _with_lora(pipe: Any, lora: Path, amount: float) -> None:
    pipe.load_lora_weights(str(lora), adapter_name="one")
    pipe.set_adapters(["one"], [amount])


def test_two_loras_add_up_in_either_order(checkpoint: Checkpoint, tmp_path: Path) -> None:
    one = str(checkpoints.save_lora(checkpoint("sd1"), tmp_path / "one.safetensors", seed=1))
    two = str(checkpoints.save_lora(checkpoint("sd1"), tmp_path / "two.safetensors", seed=2))
    a = draw(checkpoint("sd1"), loras=[(one, 0.5), (two, 1.0)])
    b = draw(checkpoint("sd1"), loras=[(two, 1.0), (one, 0.5)])
    assert furthest(a, b) <= 1
    assert furthest(a, draw(checkpoint("sd1"), loras=[(one, 0.5)])) > 1


def test_a_lora_for_another_family_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    lora = checkpoints.save_lora(checkpoint("sd1"), tmp_path / "lora.safetensors")
    with pytest.raises(BadModel, match=r"lora\.safetensors") as caught:
        load(str(checkpoint("sdxl")), device="cpu", loras=[(str(lora), 1.0)])
    assert _is_one_line(caught.value)


def test_a_checkpoint_is_no_lora(checkpoint: Checkpoint) -> None:
    weights = checkpoint("sd1") / "unet" / "diffusion_pytorch_model.safetensors"
    with pytest.raises(BadModel, match="holds no LoRA"):
        load(str(checkpoint("sd1")), loras=[(str(weights), 1.0)])


@pytest.mark.parametrize("name", ["nowhere.safetensors", "no such thing", "/nowhere/at/all"])
def test_what_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(BadModel, match="no such file or folder"):
        load(name)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="model_index"):
        load(str(tmp_path))


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_missing_part_is_named(checkpoint: Checkpoint, tmp_path: Path, part: str) -> None:
    folder = copied(checkpoint("sd1"), tmp_path)
    for path in (folder / part).glob("*.safetensors"):
        path.unlink()
    with pytest.raises(BadModel, match=f"{part}: its weights are missing"):
        load(str(folder))


@pytest.mark.parametrize("keep", [0, 5, 200, -100])
def test_a_truncated_file_is_refused(checkpoint: Checkpoint, tmp_path: Path, keep: int) -> None:
    folder = copied(checkpoint("sd1"), tmp_path)
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadModel, match=r"truncated|cut off|not a safetensors") as caught:
        load(str(folder))
    assert _is_one_line(caught.value)


def test_pickled_weights_are_refused_unless_allowed(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = copied(checkpoint("sd1"), tmp_path)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(BadModel, match="--allow-pickle"):
        load(str(folder))
    # Weights that lie otherwise in memory are summed in another order by some processors.
    assert furthest(draw(folder, allow_pickle=True), draw(checkpoint("sd1"))) <= 1


def test_a_pickled_single_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").write_bytes(b"\x80\x02")
    with pytest.raises(BadModel, match="--allow-pickle"):
        load(str(tmp_path / "model.ckpt"))


def test_half_precision_files_are_found(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = copied(checkpoint("sd1"), tmp_path)
    for path in list(folder.glob("*/*.safetensors")):
        save_file({k: v.half() for k, v in load_file(path).items()}, path.with_suffix(".fp16.safetensors"))
        path.unlink()
    assert furthest(draw(folder), draw(checkpoint("sd1"))) <= 8


@pytest.mark.parametrize(
    ("part", "key", "value", "says"),
    [
        ("model_index.json", "_class_name", "FluxPipeline", "FluxPipeline"),
        ("model_index.json", "_class_name", "StableDiffusion3Pipeline", "StableDiffusion3"),
        ("unet/config.json", "in_channels", 9, "9 channels"),
        ("unet/config.json", "class_embed_type", "timestep", "other blocks"),
    ],
)
def test_another_kind_of_model_is_refused(
    checkpoint: Checkpoint, tmp_path: Path, part: str, key: str, value: Any, says: str
) -> None:
    folder = copied(checkpoint("sd1"), tmp_path)
    config = json.loads((folder / part).read_text()) | {key: value}
    if value == "StableDiffusion3Pipeline":
        config["transformer"] = config.pop("unet")
    (folder / part).write_text(json.dumps(config))
    if part.startswith("unet"):
        settings = {k: v for k, v in config.items() if not k.startswith("_")}
        checkpoints.unet(**settings).save_pretrained(folder / "unet")
    with pytest.raises(BadModel, match=says) as caught:
        load(str(folder))
    assert _is_one_line(caught.value)


def test_weights_of_another_network_are_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = copied(checkpoint("sd1"), tmp_path)
    shutil.copy(
        checkpoint("sdxl") / "unet" / "diffusion_pytorch_model.safetensors",
        folder / "unet" / "diffusion_pytorch_model.safetensors",
    )
    with pytest.raises(BadModel) as caught:
        load(str(folder))
    assert _is_one_line(caught.value)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(BadModel, match="no Stable Diffusion checkpoint"):
        load(str(tmp_path / "other.safetensors"))


def test_an_inpainting_file_is_refused(tmp_path: Path) -> None:
    name = "model.diffusion_model.input_blocks.0.0.weight"
    save_file({name: torch.zeros(8, 9, 3, 3)}, tmp_path / "inpaint.safetensors")
    with pytest.raises(BadModel, match="9 channels"):
        load(str(tmp_path / "inpaint.safetensors"))


def test_a_hub_that_cannot_be_reached_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _offline(monkeypatch, tmp_path)
    start = time.monotonic()
    with pytest.raises(BadModel, match="cannot be reached") as caught:
        load("somebody/some-model-nobody-has")
    assert time.monotonic() - start < 10
    assert _is_one_line(caught.value)


def test_offline_by_choice_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BadModel, match="HF_HUB_OFFLINE"):
        loading.need_hub("owner/name")


def test_a_decoder_must_be_one(checkpoint: Checkpoint) -> None:
    with pytest.raises(BadModel, match="AutoencoderKL"):
        load(str(checkpoint("sd1")), device="cpu", decoder=str(checkpoint("sd1") / "vae"))


def test_loading_another_model_leaves_the_first_as_it_was(checkpoint: Checkpoint) -> None:
    s = structure()
    engine = Engine(load(str(checkpoint("sd1")), device="cpu"))
    before = engine.render(s, values(s)).pictures
    load(str(checkpoint("tiny")), device="cpu")
    with pytest.raises(BadModel):
        load("nowhere.safetensors")
    assert np.array_equal(engine.render(s, values(s)).pictures, before)


def test_a_card_that_torch_cannot_use_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(loading.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert "pytorch.org" in (loading.gpu_warning() or "")
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    assert loading.gpu_warning() is None


def _offline(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """A machine whose hub does not answer, and that has nothing from earlier."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(loading, "getproxies", dict)


def _is_one_line(error: Exception) -> bool:
    return "\n" not in str(error) and len(str(error)) < 500
