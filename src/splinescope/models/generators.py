"""Training of small generators: variational autoencoders, and Wasserstein GANs with a gradient penalty."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from splinescope.errors import InvalidInputError


def train_vae(
    encoder: nn.Module,
    decoder: nn.Module,
    inputs: Float[Tensor, "n ..."],
    *,
    generator: torch.Generator,
    epochs: int = 30,
    deviation: float = 0.1,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
) -> tuple[float, ...]:
    r"""Train a variational autoencoder in place with Adam; its decoder is a generator of standard Gaussian latents.

    The loss is $\frac{1}{2\sigma^2}|x - \hat x|^2$ plus the divergence of the latents from the standard Gaussian.

    Args:
        encoder: Maps [N, *shape] to [N, 2 d]: means and logarithms of variances of d latents.
        decoder: Maps [N, d] latents to [N, *shape] or flat outputs.
        inputs: Training inputs.
        generator: Source of the order of the batches and of the noise; global seeds stay untouched.
        epochs: Number of passes over the data.
        deviation: Standard deviation of the outputs' noise: the smaller, the sharper, and the less Gaussian the
            latents.
        batch_size: Inputs per step.
        learning_rate: Adam's step size, which falls to zero by a cosine.

    Returns:
        Mean loss of each epoch.

    Raises:
        InvalidInputError: If there are no inputs.

    Source: Kingma and Welling (2014), arXiv 1312.6114.

    Cost: one forward and one backward pass of both for each input and epoch.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> encoder, decoder = nn.Linear(2, 2), nn.Linear(1, 2)
        >>> len(train_vae(encoder, decoder, torch.randn(64, 2, generator=rng), generator=rng, epochs=3))
        3
    """
    if not len(inputs):
        raise InvalidInputError("`inputs`: got none; expected some")
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=learning_rate)
    steps = epochs * -(-len(inputs) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    losses = []
    for _ in range(epochs):
        total = 0.0
        for batch in torch.randperm(len(inputs), generator=generator).split(batch_size):
            x = inputs[batch]
            mean, log_variance = encoder(x).chunk(2, dim=1)
            noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
            made = decoder(mean + (0.5 * log_variance).exp() * noise)
            error = (made.flatten(1) - x.flatten(1)).square().sum(dim=1) / (2 * deviation**2)
            divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
            loss = (error + divergence).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(batch)
        losses.append(total / len(inputs))
    return tuple(losses)


def train_wgan(
    module: nn.Module,
    critic: nn.Module,
    inputs: Float[Tensor, "n ..."],
    draw: Callable[[int, torch.Generator], Tensor],
    *,
    generator: torch.Generator,
    steps: int = 1000,
    critic_steps: int = 4,
    penalty: float = 1.0,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
) -> tuple[float, ...]:
    r"""Train a generator in place against a critic, by the Wasserstein distance with a gradient penalty.

    Args:
        module: The generator, from [N, d] latents to [N, *shape] outputs.
        critic: From [N, *shape] to [N, 1].
        inputs: Training inputs.
        draw: From a number and a source of randomness to [number, d] latents.
        generator: Source of all randomness; global seeds stay untouched.
        steps: Steps of the generator.
        critic_steps: Steps of the critic before each.
        penalty: Weight of $(|\nabla f| - 1)^2$ between samples and data.
        batch_size: Inputs per step.
        learning_rate: Adam's step size, which falls to zero by a cosine.

    Returns:
        What the critic takes for the distance, at each step of the generator.

    Raises:
        InvalidInputError: If there are no inputs.

    Source: Gulrajani et al. (2017), arXiv 1704.00028.

    Cost: for each step a pass of the generator, and `critic_steps` passes of both, with second derivatives of the
    critic.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> module, critic = nn.Linear(1, 2), nn.Linear(2, 1)
        >>> draw = lambda number, rng: torch.rand(number, 1, generator=rng)
        >>> len(train_wgan(module, critic, torch.randn(64, 2, generator=rng), draw, generator=rng, steps=3))
        3
    """
    if not len(inputs):
        raise InvalidInputError("`inputs`: got none; expected some")
    optimizers = [torch.optim.Adam(part.parameters(), lr=learning_rate, betas=(0.5, 0.9)) for part in (module, critic)]
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(part, steps) for part in optimizers]
    distances = []
    for _ in range(steps):
        for _ in range(critic_steps):
            real = inputs[torch.randint(len(inputs), (batch_size,), generator=generator)]
            with torch.no_grad():
                made = module(draw(batch_size, generator)).reshape(real.shape)
            between = torch.rand(batch_size, *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
            middle = (between * real + (1 - between) * made).requires_grad_(True)
            (slope,) = torch.autograd.grad(critic(middle).sum(), middle, create_graph=True)
            distance = critic(real).mean() - critic(made).mean()
            loss = penalty * (slope.flatten(1).norm(dim=1) - 1).square().mean() - distance
            optimizers[1].zero_grad()
            loss.backward()
            optimizers[1].step()
        optimizers[0].zero_grad()
        (-critic(module(draw(batch_size, generator)).reshape(real.shape)).mean()).backward()
        optimizers[0].step()
        for schedule in schedules:
            schedule.step()
        distances.append(float(distance.detach()))
    return tuple(distances)
