"""Text features equal transformers' own, with vectors in place of words, whatever the stack's end and pad tokens."""

from __future__ import annotations

import pytest
import torch

from core.errors import PromptError, VectorError
from core.stack.text import encode, has_unknown_words, tokenize, word_embedding
from tests.stacks import FAMILIES, text_parts

# The published configs say eos_token_id 2; 2.1 pads with "!", 2.2 with the end token.
CONVENTIONS = [(published_eos, pad) for published_eos in (False, True) for pad in (None, "!")]
PROMPTS = ["a photo of a dog", "", "the painting of my cat on a red table , in this style", "dog"]


@pytest.fixture(params=CONVENTIONS, ids=lambda it: f"eos {'2' if it[0] else 'real'}, pad {it[1] or 'end'}")
def parts(request):
    published_eos, pad = request.param
    tokenizer, text_encoder = text_parts(published_eos=published_eos, pad=pad, act="quick_gelu")
    return tokenizer, text_encoder.double()


def plainly(tokenizer, text_encoder, prompts):
    """The result of the Kandinsky pipelines: padded to the full length."""
    inputs = tokenizer(prompts, padding="max_length", max_length=tokenizer.model_max_length, return_tensors="pt")
    output = text_encoder(inputs.input_ids)
    return output.text_embeds, output.last_hidden_state, inputs.attention_mask.bool()


def word(text_encoder, tokenizer, name):
    return text_encoder.get_input_embeddings().weight[tokenizer.convert_tokens_to_ids(name)].detach().clone()


def close(one, other):
    return torch.allclose(one, other, rtol=0, atol=1e-12)


def test_features_equal_transformers(parts):
    features = encode(parts[1], parts[0], PROMPTS)
    embeds, hidden, mask = plainly(*parts, PROMPTS)
    length = int(mask.sum(dim=1).max())
    assert features.hidden.shape == (4, length, 16)
    assert torch.equal(features.mask, mask[:, :length]) and not mask[:, length:].any()
    assert close(features.embeds, embeds)
    assert close(features.hidden[features.mask], hidden[mask])


def test_a_vector_stands_where_its_name_does(parts):
    tokenizer, text_encoder = parts
    # The same word stands in the prompt twice more: it is the place that counts, not the token.
    prompts = ["a dog and a <moku> like my dog", "a moku", "<moku>"]
    vectors = {"<moku>": word(text_encoder, tokenizer, "dog"), "moku": word(text_encoder, tokenizer, "cat")}
    ours = encode(text_encoder, tokenizer, prompts, vectors)
    plain = encode(text_encoder, tokenizer, ["a dog and a dog like my dog", "a cat", "dog"])
    assert torch.equal(ours.embeds, plain.embeds) and torch.equal(ours.hidden, plain.hidden)


def test_gradients_equal_those_of_a_swapped_embedding(parts):
    tokenizer, text_encoder = parts
    vector = torch.randn(16, dtype=torch.float64).requires_grad_()
    ours = encode(text_encoder, tokenizer, ["a photo of a <moku> , with a <moku>", "my <moku>"], {"<moku>": vector})

    horse = tokenizer.convert_tokens_to_ids("horse")

    def swap(module, inputs, output):
        return torch.where((inputs[0] == horse)[..., None], vector, output)

    hook = text_encoder.get_input_embeddings().register_forward_hook(swap)
    embeds, hidden, mask = plainly(*parts, ["a photo of a horse , with a horse", "my horse"])
    hook.remove()

    assert close(ours.embeds, embeds)
    for mine, theirs in ((ours.embeds, embeds), (ours.hidden[ours.mask], hidden[mask])):
        gradients = [torch.autograd.grad(each.sin().sum(), vector, retain_graph=True)[0] for each in (mine, theirs)]
        assert close(*gradients) and gradients[0].abs().max() > 1e-3


def test_several_vectors_take_several_places(parts):
    tokenizer, text_encoder = parts
    vectors = torch.stack([word(text_encoder, tokenizer, name) for name in ("red", "dog")])
    ours = encode(text_encoder, tokenizer, ["a <moku> photo", "a cat"], {"<moku>": vectors})
    assert close(ours.embeds, encode(text_encoder, tokenizer, ["a red dog photo", "a cat"]).embeds)


def test_rows_of_features_are_trimmed_to_the_longest_of_them(parts):
    features = encode(parts[1], parts[0], PROMPTS)
    picked = features.rows(torch.tensor([3, 0, 3]))
    alone = encode(parts[1], parts[0], [PROMPTS[3], PROMPTS[0], PROMPTS[3]])
    assert picked.hidden.shape == alone.hidden.shape
    assert close(picked.embeds, alone.embeds) and torch.equal(picked.mask, alone.mask)


@pytest.mark.parametrize(
    "prompt, found",
    [
        ("a <pet-1>, a <pet-10> and a pet", ["<pet-1>", "<pet-10>", "pet"]),
        ("(pet)!", ["pet"]),
        ("pets carpet pet_1", []),
        ("pet's", ["pet"]),
    ],
)
def test_a_name_is_a_whole_word(prompt, found):
    tokenizer, _ = text_parts()
    names = {"pet": 1, "<pet-1>": 1, "<pet-10>": 1}
    tokens = tokenize(tokenizer, [prompt, *names], names)
    assert [name for name, row in zip(tokens.names, tokens.rows, strict=True) if row == 0] == found


def test_an_end_token_that_the_user_wrote_is_where_transformers_pools_too():
    tokenizer, text_encoder = text_parts()
    prompts = ["a dog <|endoftext|> a cat", "a photo of a dog on the table"]
    embeds, _, mask = plainly(tokenizer, text_encoder, prompts)
    features = encode(text_encoder, tokenizer, prompts)
    assert torch.allclose(features.embeds, embeds, atol=1e-6)
    assert torch.equal(features.mask, mask[:, : features.mask.shape[1]])


def test_a_word_starts_a_concept_with_the_mean_of_its_tokens():
    tokenizer, text_encoder = text_parts()
    mean = (word(text_encoder, tokenizer, "red") + word(text_encoder, tokenizer, "cat")) / 2
    assert torch.allclose(word_embedding(text_encoder, tokenizer, "Red cat"), mean)
    assert has_unknown_words(tokenizer, "a moku") and not has_unknown_words(tokenizer, "a dog")


@pytest.fixture(params=["2.1", "2.2"])
def clip_parts(request):
    """CLIP's own tokenizer, with what either family pads with, and the published `eos_token_id: 2`."""
    act, pad = FAMILIES[request.param]
    tokenizer, text_encoder = text_parts(length=77, published_eos=True, pad=pad, act=act, words=False)
    return tokenizer, text_encoder.double()


SCRIPTS = [
    "a photo of a кот",
    "貓 と 犬",
    "حيوان أليف",
    "a 🐈‍⬛!",
    "naïve — ﬁsh",
    "!dog! ! !",
    "DOG's   dogs",
    "a\tdog\n",
]


def test_every_script_is_read_as_transformers_reads_it(clip_parts):
    features = encode(clip_parts[1], clip_parts[0], SCRIPTS)
    embeds, hidden, mask = plainly(*clip_parts, SCRIPTS)
    assert torch.equal(features.mask, mask[:, : features.mask.shape[1]])
    assert close(features.embeds, embeds) and close(features.hidden[features.mask], hidden[mask])
    assert not any(has_unknown_words(clip_parts[0], prompt) for prompt in SCRIPTS)


def test_a_vector_stands_among_other_scripts_and_the_placeholder_s_own_token(clip_parts):
    """A vector replaces the token "!", which 2.1 also uses as padding, and which occurs in prompts."""
    tokenizer, text_encoder = clip_parts
    dog = word(text_encoder, tokenizer, "dog</w>")
    ours = encode(text_encoder, tokenizer, ["!! <it> 🐈 !", "кот, <it>!"], {"<it>": dog})
    plain = encode(text_encoder, tokenizer, ["!! dog 🐈 !", "кот, dog !"])
    assert close(ours.embeds, plain.embeds) and close(ours.hidden, plain.hidden)
    assert torch.equal(ours.mask, plain.mask)


def test_a_category_of_several_tokens_starts_at_their_mean(clip_parts):
    tokenizer, text_encoder = clip_parts
    ids = tokenizer("musical instrument", add_special_tokens=False).input_ids
    assert len(ids) > 2
    mean = text_encoder.get_input_embeddings().weight[ids].mean(0)
    assert close(word_embedding(text_encoder, tokenizer, "musical instrument"), mean)


def test_a_name_that_is_the_category_s_own_word_takes_its_place_only_where_it_is_one(clip_parts):
    tokenizer, text_encoder = clip_parts
    dog = word(text_encoder, tokenizer, "dog</w>")
    tokens = tokenize(tokenizer, ["a dog of hotdogs, DOG"], {"dog": 1})
    assert len(tokens.names) == 1
    ours = encode(text_encoder, tokenizer, ["a cat of hotdogs, DOG"], {"cat": dog})
    assert close(ours.embeds, encode(text_encoder, tokenizer, ["a dog of hotdogs, DOG"]).embeds)


def test_prompts_over_the_limit_are_refused_not_cut(clip_parts):
    tokenizer, text_encoder = clip_parts
    fits = "! " * 75
    assert encode(text_encoder, tokenizer, [fits]).mask.sum() == 77
    with pytest.raises(PromptError, match="has 78 tokens, but only 77 fit: shorten it"):
        encode(text_encoder, tokenizer, [fits + "!"])
    vector = torch.zeros(3, 16, dtype=torch.float64)
    with pytest.raises(PromptError, match="has 79 tokens, but only 77 fit and '<it>' lies beyond the cut"):
        encode(text_encoder, tokenizer, ["! " * 74 + "<it>"], {"<it>": vector})


def test_mistakes_are_told_in_one_line():
    tokenizer, text_encoder = text_parts()
    vector = torch.zeros(16)
    with pytest.raises(PromptError, match="the name '<moku>' is not in 'a photo of mokus'"):
        encode(text_encoder, tokenizer, ["a photo of mokus"], {"<moku>": vector})
    long = " ".join(["a"] * 19)
    with pytest.raises(PromptError, match="has 21 tokens, but only 20 fit: shorten it"):
        encode(text_encoder, tokenizer, [long])
    with pytest.raises(PromptError, match="has 22 tokens, but only 20 fit and '<moku>' lies beyond the cut"):
        encode(text_encoder, tokenizer, [long + " <moku>"], {"<moku>": vector})
    with pytest.raises(VectorError, match=r"width 16 for '<moku>', got \[2, 12\]"):
        encode(text_encoder, tokenizer, ["<moku>"], {"<moku>": torch.zeros(2, 12)})
    with pytest.raises(PromptError, match="has no tokens"):
        word_embedding(text_encoder, tokenizer, " ")
