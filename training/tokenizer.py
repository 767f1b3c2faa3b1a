"""A tokenizer of whole words, in the form that the Kandinsky pipelines load from a `tokenizer/` folder."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

UNKNOWN, BEGIN, END = "<|unknown|>", "<|startoftext|>", "<|endoftext|>"

_NORMALIZE = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
_SPLIT = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated")])


def split_words(text: str) -> list[str]:
    """The words and single punctuation marks of `text` in lower case: "T-rex!" → t, -, rex, !"""
    return [word for word, _ in _SPLIT.pre_tokenize_str(_NORMALIZE.normalize_str(text))]


def word_tokenizer(words: Iterable[str], length: int) -> PreTrainedTokenizerFast:
    """One token for each distinct word of `words`, in their order; anything else is the unknown token (id 0).

    `length` is `model_max_length`: the pipelines pad and cut to it, begin and end included. The pad token is the end
    token, as in Kandinsky 2.2, and the end token has the highest id: transformers' CLIP pools at the first
    `eos_token_id` or, where its config says 2 as the published ones do, at the highest id.
    """
    known = dict.fromkeys(piece for word in words for piece in split_words(word))
    vocab = {token: i for i, token in enumerate([UNKNOWN, *known, BEGIN, END])}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token=UNKNOWN))
    tokenizer.normalizer = _NORMALIZE
    tokenizer.pre_tokenizer = _SPLIT
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {END}", special_tokens=[(BEGIN, vocab[BEGIN]), (END, vocab[END])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=length,
        unk_token=UNKNOWN,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=END,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )
