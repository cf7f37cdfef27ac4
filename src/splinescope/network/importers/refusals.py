"""Why an op cannot be imported, in words."""

from __future__ import annotations

PRODUCT = "it multiplies values that depend on the input with each other, which is not piecewise affine"
QUOTIENT = "it divides by a value that depends on the input, which is not piecewise affine"
COMPARISON = "it decides by a comparison of values that depend on the input, so that its result may jump"
SMOOTH = "it is smooth and curved, not piecewise affine"
POWERS = "it takes powers of its input, which is not piecewise affine"
STATISTICS = "it normalises by statistics of its own input, which is not piecewise affine"
RANDOM = "it draws random numbers, so that the model is not a function of its input"
COURSE = "it looks at a value that depends on the input, as if to decide the model's course by it"
INTEGERS = "it rounds its argument to integers, and so it jumps: it is not continuous"
COMPLEX = "it makes complex numbers of values that depend on the input; splinescope follows real ones"
UNKNOWN = "splinescope does not know this op when its argument depends on the input"

_SMOOTH = (
    "elu selu celu gelu silu swish mish softplus softsign logsigmoid log_sigmoid sin cos tan sinh cosh asin acos atan "
    "asinh acosh atanh exp exp2 expm1 log log2 log10 log1p sqrt rsqrt erf reciprocal softmin logsumexp "
    "reducelogsumexp reducelogsum sinc"
)
_QUADRATIC = "pow square norm linalg_vector_norm reducel2 reducesumsquare var std var_mean std_mean cdist lp_pool hypot"
_JUMPS = (
    "sign sgn heaviside round floor ceil trunc frac fmod remainder mod argmax argmin argsort nonzero onehot one_hot "
    "hardmax bitshift hardshrink qlinearconv qlinearmatmul matmulinteger convinteger quantizelinear "
    "dynamicquantizelinear fake_quantize_per_tensor_affine floor_divide"
)
_COMPARES = (
    "gt ge lt le eq ne greater greaterorequal less lessorequal equal where not and or xor logical_not logical_and any "
    "all isclose allclose"
)
_NORMALISES = (
    "layer_norm layernormalization group_norm groupnormalization instance_norm instancenormalization rms_norm "
    "rmsnormalization local_response_norm lrn normalize lpnormalization meanvariancenormalization"
)
_PRODUCTS = "scaled_dot_product_attention attention multiheadattention lstm gru rnn cosine_similarity prod cumprod"
_COMPLEX = (
    "complex polar view_as_complex view_as_real fft_fft fft_ifft fft_rfft fft_irfft fft_hfft fft_ihfft fft_fft2 "
    "fft_ifft2 fft_rfft2 fft_irfft2 fft_fftn fft_ifftn fft_rfftn fft_irfftn fft_r2c fft_c2c fft_c2r dft stft istft"
)
_RANDOM = "bernoulli rand randn rand_like randn_like randint normal uniform multinomial randomnormal randomuniform"


def _table() -> dict[str, str]:
    groups = (
        (_SMOOTH, SMOOTH),
        (_QUADRATIC, POWERS),
        (_JUMPS, "it jumps: it is not continuous, so that the network is not continuous piecewise affine"),
        (_COMPARES, COMPARISON),
        (_NORMALISES, STATISTICS),
        (_PRODUCTS, PRODUCT),
        (_RANDOM, RANDOM),
        (_COMPLEX, COMPLEX),
    )
    table = {name: reason for names, reason in groups for name in names.split()}
    table["hardswish"] = "it is quadratic between -3 and 3, not piecewise affine"
    table["argsort"] = "the order of values jumps: it is not continuous"
    table["_local_scalar_dense"] = table["item"] = COURSE
    return table


REASONS = _table()


def reason_for(op: str) -> str:
    """Why an op is refused when its argument depends on the input.

    Args:
        op: Name of the op in torch or ONNX, in any case, without its overload.

    Returns:
        The reason, to follow after the op's name.
    """
    key = op.lower().removesuffix("_")
    return REASONS.get(key, REASONS.get(key.lstrip("_"), UNKNOWN))
