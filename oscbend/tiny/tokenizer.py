"""The tokenizer: CLIP's byte pairs, with merges made so that every word the painter uses is one token."""

import itertools
import json
from pathlib import Path

from transformers import CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

START, END = "<|startoftext|>", "<|endoftext|>"


def _merged(pieces: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    """The pieces of a word after all known merges, in the order that byte-pair encoding applies them."""
    while len(pieces) > 1:
        pairs = list(itertools.pairwise(pieces))
        best = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        i = pairs.index(best)
        pieces = [*pieces[:i], "".join(best), *pieces[i + 2 :]]
    return pieces


def make_merges(words: list[str]) -> list[tuple[str, str]]:
    """Merges under which each word is one token.

    A word's own merges come after all earlier ones, so they cannot break a word that is whole already.

    >>> make_merges(["orb"])
    [('o', 'r'), ('or', 'b</w>')]
    """
    ranks: dict[tuple[str, str], int] = {}
    for word in words:
        pieces = _merged([*word[:-1], f"{word[-1]}</w>"], ranks)
        while len(pieces) > 1:
            ranks[pieces[0], pieces[1]] = len(ranks)
            pieces = ["".join(pieces[:2]), *pieces[2:]]
    return list(ranks)


def split_words(vocabulary: list[str]) -> list[str]:
    """The vocabulary as the tokenizer sees it: CLIP takes each digit as a word of its own ("3d": 3, d)."""
    words: set[str] = set()
    for word in vocabulary:
        digits = [c if c.isalpha() else f" {c} " for c in word]
        words.update("".join(digits).split())
    return sorted(words)


def write_tokenizer(folder: Path, vocabulary: list[str], length: int) -> CLIPTokenizer:
    """Write vocab.json, merges.txt and the configuration of a tokenizer that knows these words."""
    folder.mkdir(parents=True, exist_ok=True)
    words = split_words(vocabulary)
    merges = make_merges(words)
    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(f"{c}</w>" for c in letters), *("".join(m) for m in merges), START, END]
    vocab = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(m) for m in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    special = {"bos_token": START, "eos_token": END, "pad_token": END, "unk_token": END}
    configuration = {"tokenizer_class": "CLIPTokenizer", "model_max_length": length, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(configuration, indent=2))
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2))
    return CLIPTokenizer.from_pretrained(folder)
