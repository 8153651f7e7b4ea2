"""One call of the U-Net: from the sampler's state to the guided prediction that moves it on."""

from __future__ import annotations

import torch
from torch import Tensor

from oscbend.net.model import Model
from oscbend.net.network import Network
from oscbend.net.plan import Plan
from oscbend.net.text import Embedding
from oscbend.net.walk import Bends, Context, embed_guidance


def predict(
    network: Network, model: Model, plan: Plan, x: Tensor, timestep: Tensor, text: Embedding, here: Bends
) -> Tensor:
    """The network's prediction, [B, 4, H/8, W/8], float32.

    Args:
        network, model: that draw.
        plan: of the structure, with the frame's values loaded.
        x: states, scaled as the network knows them, [B, 4, H/8, W/8], float32.
        timestep: of every row, [rows]; with guidance the unconditional rows come first.
        text: of every row.
        here: the step's bends.
    """
    seen = x.to(model.dtype).contiguous(memory_format=model.memory_format)
    if plan.branches == 2:
        seen = torch.cat([seen, seen])
    width = model.guidance_width
    embedded = None if width is None else embed_guidance(plan.guidance[:, 0], width).to(model.dtype)
    emb = network.time(timestep, embedded, text.pooled, plan.time_ids)
    bend = here.get("time")
    if bend is not None:
        emb = bend(emb[:, :, None, None])[:, :, 0, 0]
    tokens = text.tokens
    bend = here.get("text")
    if bend is not None:
        tokens = bend(tokens.transpose(1, 2)[..., None])[..., 0].transpose(1, 2).contiguous()
    output = network.unet(seen, Context(emb, tokens, plan.sized), here).float()
    if plan.branches == 2:
        without, cond = output.chunk(2)
        output = without + plan.guidance[:, :, None, None] * (cond - without)
    return output
