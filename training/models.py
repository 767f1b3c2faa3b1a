"""The shapes of the embedded stack: Kandinsky 2.2's classes in small configurations."""

from __future__ import annotations

from diffusers import DDIMScheduler, PriorTransformer, UnCLIPScheduler, UNet2DConditionModel
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    PreTrainedTokenizerFast,
    ViltConfig,
    ViltForQuestionAnswering,
)

from training.captions import MAX_LENGTH

WIDTH = 192  # token vectors, text and image embeddings, and the prior's embedding_dim: one number, as in 2.2
SEEN_SIZE = 64  # pixels a side for the image tower and the question answerer
LATENT_CHANNELS = 12
LATENT_SIDE = 16

# The pixel statistics of CLIP's published preprocessing are those of photographs.
PIXEL_MEAN = PIXEL_STD = (0.5, 0.5, 0.5)


def text_tower(tokenizer: PreTrainedTokenizerFast) -> CLIPTextModelWithProjection:
    """The end token has the highest id: with `eos_token_id` 2 transformers pools elsewhere and training fails."""
    return CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            projection_dim=WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=MAX_LENGTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def image_tower() -> CLIPVisionModelWithProjection:
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            projection_dim=WIDTH,
            num_hidden_layers=4,
            num_attention_heads=4,
            image_size=SEEN_SIZE,
            patch_size=8,
        )
    )


def image_processor() -> CLIPImageProcessor:
    return CLIPImageProcessor(
        size={"height": SEEN_SIZE, "width": SEEN_SIZE},
        do_center_crop=False,
        image_mean=list(PIXEL_MEAN),
        image_std=list(PIXEL_STD),
    )


def prior_transformer() -> PriorTransformer:
    return PriorTransformer(
        num_attention_heads=7,
        attention_head_dim=32,
        num_layers=5,
        embedding_dim=WIDTH,
        num_embeddings=MAX_LENGTH,
        additional_embeddings=4,
    )


def prior_scheduler() -> UnCLIPScheduler:
    return UnCLIPScheduler(
        variance_type="fixed_small_log",
        prediction_type="sample",
        num_train_timesteps=1000,
        clip_sample_range=5.0,
    )


def unet() -> UNet2DConditionModel:
    """Its output has twice the latent channels: the pipelines split off a variance, which is not trained."""
    return UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        in_channels=LATENT_CHANNELS,
        out_channels=2 * LATENT_CHANNELS,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        block_out_channels=(64, 128),
        layers_per_block=2,
        attention_head_dim=32,
        norm_num_groups=8,
        cross_attention_dim=64,
        encoder_hid_dim=WIDTH,
        encoder_hid_dim_type="image_proj",
        addition_embed_type="image",
        resnet_time_scale_shift="scale_shift",
        class_embed_type=None,
    )


def decoder_scheduler() -> DDIMScheduler:
    """v-prediction with a cosine schedule: at 16×16 latents a linear one has too little noise."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=True,
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    )


def question_answerer(tokenizer: PreTrainedTokenizerFast, answers: tuple[str, ...]) -> ViltForQuestionAnswering:
    return ViltForQuestionAnswering(
        ViltConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=416,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=MAX_LENGTH,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            image_size=SEEN_SIZE,
            patch_size=8,
            num_labels=len(answers),
            id2label=dict(enumerate(answers)),
            label2id={answer: i for i, answer in enumerate(answers)},
        )
    )
