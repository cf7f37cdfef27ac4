"""Surfaces in space, lit from the upper left: every polygon with its exact border, nearer ones in front of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from splinescope.errors import InvalidInputError
from splinescope.plotting.boxes import axis_names, box_corners, draw_box
from splinescope.plotting.colors import (
    CLASS_STRENGTH,
    PATTERN_STRENGTH,
    ColorScale,
    color_numbers,
    colors_of_classes,
    pattern_palette,
    scale_of,
    tinted,
)
from splinescope.plotting.data import norm_of
from splinescope.plotting.layers import draw_class_legend, draw_color_bar
from splinescope.plotting.mesh_picture import MeshPicture as MeshPicture
from splinescope.plotting.raster import Camera, Pixels, rasterize

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from splinescope.tessellation.surface import SurfaceMesh

COLORINGS = ("uniform", "pattern", "area", "class")
CLAY = (0.93, 0.90, 0.84)
"""Colour of surfaces whose colour says nothing."""

BACK = (0.66, 0.74, 0.84)
"""What the side of smaller values is mixed with where a surface shows it."""

_SAMPLES = 3
"""Pixels per side of a pixel of the picture, which is their mean."""

_EDGES = 30_000
"""Number of visible polygons above which their borders would be most of the picture."""


def picture_of(
    mesh: SurfaceMesh,
    color: str | Shaped[np.ndarray, " polygons"] = "uniform",
    *,
    elevation: float = 22.0,
    azimuth: float = -60.0,
    up: int = 3,
    height: int = 900,
    edges: bool | None = None,
    frame: str = "surface",
) -> MeshPicture:
    """A surface as pixels: colours, light, borders of polygons.

    Args:
        mesh: The surface.
        color: "uniform", "pattern" (of the cell; neighbours differ), "area", "class" (the one that the surface hides)
            or one number per polygon.
        elevation: Of the viewer above the plane of the other two coordinates, in degrees.
        azimuth: Of the viewer around the axis that points up, in degrees.
        up: Coordinate that points up: 1 to 3, or -1 to -3 if it points down.
        height: Height of the image in pixels.
        edges: Whether to draw the borders of the polygons; None draws them where there are not too many to see.
        frame: What fills the picture: "surface" or "domain".

    Returns:
        The picture.

    Raises:
        InvalidInputError: If the colouring or the frame is unknown, or an array has another length.
    """
    ends = _frame(mesh, frame)
    if abs(up) not in (1, 2, 3):
        raise InvalidInputError(f"`up`: got {up!r}; expected 1, 2, 3, -1, -2 or -3")
    coats = _colors(mesh, color)
    camera = Camera.at(elevation, azimuth, up)
    box = camera.project(box_corners(ends))[:, :2]
    low, high = box.min(axis=0), box.max(axis=0)
    margin = 0.01 * (high - low).max()
    low, high = low - margin, high + margin
    rows = _SAMPLES * height
    scaling = rows / (high[1] - low[1])
    columns = _SAMPLES * max(1, round((high[0] - low[0]) * scaling / _SAMPLES))
    projected = camera.project(mesh.vertices)
    projected[:, :2] = (projected[:, :2] - low) * scaling
    pixels = rasterize(projected[mesh.triangles()], rows, columns)
    polygons = np.append(mesh.triangle_polygons(), -1)[pixels.triangle]
    image = _lit(mesh, coats, polygons, pixels, camera, (high - low).max())
    _darken_borders(image, polygons, pixels, edges, (high - low).max())
    extent = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
    return MeshPicture(_averaged(image), ends, extent, camera, pixels.depth, coats.scale, coats.classes)


def _frame(mesh: SurfaceMesh, name: str) -> np.ndarray:
    """[2, 3] lower and upper ends of what is to be shown."""
    if name not in ("surface", "domain"):
        raise InvalidInputError(f"`frame`: got {name!r}; expected 'surface' or 'domain'")
    points = mesh.vertices if name == "surface" and len(mesh) else np.asarray(mesh.domain.corners)
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2, np.maximum(high - low, 1e-3 * (high - low).max()) / 2
    return np.stack([middle - half, middle + half])


@dataclass(frozen=True)
class _Coats:
    """Colours of both sides of each polygon.

    Attributes:
        front: [P, 3] colour of the side of larger values.
        back: [P, 3] colour of the other side.
        scale: The scale of the numbers behind the colours, or None.
        classes: Classes that occur, where the colours are of classes.
    """

    front: np.ndarray
    back: np.ndarray
    scale: ColorScale | None = None
    classes: tuple[int, ...] = ()


def _colors(mesh: SurfaceMesh, color: str | np.ndarray) -> _Coats:
    """The colours that an option means."""
    from matplotlib import colormaps

    if isinstance(color, str) and color == "class" and mesh.classes is not None:
        present = np.unique(mesh.classes)
        palette = tinted(colors_of_classes(present), CLASS_STRENGTH)[:, :3]
        behind, in_front = np.searchsorted(present, mesh.classes).T
        return _Coats(palette[behind], palette[in_front], classes=tuple(int(k) for k in present))
    if isinstance(color, str) and color == "uniform":
        return _two_sided(np.tile(CLAY, (len(mesh), 1)))
    if isinstance(color, str) and color == "pattern":
        palette = 1 - (1 - pattern_palette()[:, :3]) * (0.68 / PATTERN_STRENGTH)
        return _two_sided(np.clip(palette, 0, 1)[color_numbers(mesh.patterns)])
    if isinstance(color, str) and color != "area":
        known = [name for name in COLORINGS if name != "class" or mesh.classes is not None]
        raise InvalidInputError(f"`color`: got {color!r}; expected one of {', '.join(known)}, or an array")
    numbers = mesh.areas if isinstance(color, str) else np.asarray(color, np.float64)
    if numbers.shape != (len(mesh),):
        raise InvalidInputError(f"`color`: got the shape {numbers.shape}; expected one number for {len(mesh)} polygons")
    scale = scale_of(numbers, "area of polygon (units of the domain)" if isinstance(color, str) else "value")
    return _two_sided(np.asarray(colormaps[scale.colormap](norm_of(scale)(numbers)))[:, :3], scale)


def _two_sided(fills: np.ndarray, scale: ColorScale | None = None) -> _Coats:
    """One colour for both sides, that of smaller values mixed with another."""
    return _Coats(fills, 0.45 * fills + 0.55 * np.array(BACK), scale)


def _lit(
    mesh: SurfaceMesh, coats: _Coats, polygons: np.ndarray, pixels: Pixels, camera: Camera, size: float
) -> np.ndarray:
    """[rows, columns, 4] colours under a main light from the upper left, a weak one from the right, and the sky's."""
    normals = camera.project(mesh.normals)
    seen = normals[:, 2:] >= 0
    normals = np.where(seen, normals, -normals)
    main, weak = (np.array(v) / np.linalg.norm(v) for v in ([-0.5, 0.65, 0.75], [0.8, -0.1, 0.5]))
    light = 0.46 + 0.58 * np.clip(normals @ main, 0, None) + 0.16 * np.clip(normals @ weak, 0, None)
    glint = 0.10 * np.clip(normals @ _halfway(main), 0, None) ** 40
    base = np.where(seen, coats.front, coats.back)
    colors = np.clip(base * light[:, None] + glint[:, None], 0, 1)
    inside = polygons >= 0
    image = np.zeros((*polygons.shape, 4))
    image[inside, :3] = colors[polygons[inside]] * (1 - _shade(pixels.depth, inside, size)[inside, None])
    image[inside, 3] = 1.0
    return image


def _halfway(light: np.ndarray) -> np.ndarray:
    """Direction half-way between a light and the viewer: a mirror that faces it shows the light."""
    middle = light + np.array([0.0, 0.0, 1.0])
    return middle / np.linalg.norm(middle)


def _shade(depth: np.ndarray, inside: np.ndarray, size: float) -> np.ndarray:
    """How much of the sky's light is kept off by what is in front nearby: the depth against its own local mean.

    After Luft, Colditz and Deussen, Image enhancement by unsharp masking the depth buffer (SIGGRAPH 2006).
    """
    from scipy.ndimage import gaussian_filter

    coarse = slice(_SAMPLES // 2, None, 2 * _SAMPLES)
    weight = inside[coarse, coarse].astype(np.float64)
    flat = np.where(weight > 0, depth[coarse, coarse], 0.0)
    shade = np.zeros(flat.shape)
    for share, strength in ((0.012, 1.6), (0.05, 0.7)):
        radius = share * flat.shape[0]
        mean = gaussian_filter(flat, radius) / np.maximum(gaussian_filter(weight, radius), 1e-9)
        shade += strength * weight * np.clip((mean - flat) / (size * share * 4), 0, 0.25)
    height, width = flat.shape
    rows = np.minimum(np.arange(len(depth)) // (2 * _SAMPLES), height - 1)
    columns = np.minimum(np.arange(len(depth.T)) // (2 * _SAMPLES), width - 1)
    return np.clip(shade, 0, 0.5)[rows[:, None], columns]


def _darken_borders(image: np.ndarray, polygons: np.ndarray, pixels: Pixels, edges: bool | None, size: float) -> None:
    """Draw the outline, and thin lines where the polygon changes from one pixel to the next."""
    from scipy.ndimage import binary_dilation

    visible = len(np.unique(polygons)) - 1
    depth = np.where(polygons >= 0, pixels.depth, -10 * size)
    change = np.zeros(polygons.shape, bool)
    outline = np.zeros(polygons.shape, bool)
    for axis in (0, 1):
        one = tuple(slice(None, -1) if i == axis else slice(None) for i in (0, 1))
        two = tuple(slice(1, None) if i == axis else slice(None) for i in (0, 1))
        change[one] |= polygons[one] != polygons[two]
        outline[one] |= np.abs(depth[one] - depth[two]) > 0.03 * size
    if visible <= _EDGES if edges is None else edges:
        strength = 0.55 * float(np.clip((2000 / max(1, visible)) ** 0.35, 0.35, 1.0))
        wide = binary_dilation(change) if visible < 1500 else change
        image[wide, :3] *= 1 - strength
        image[wide & (image[..., 3] == 0)] = 0
    wide = binary_dilation(outline)
    image[wide, :3] *= 0.25
    image[wide, 3] = 1.0


def _averaged(image: np.ndarray) -> np.ndarray:
    """Means over squares of samples; colours count as much as they cover."""
    height, width = image.shape[0] // _SAMPLES, image.shape[1] // _SAMPLES
    blocks = image.reshape(height, _SAMPLES, width, _SAMPLES, 4)
    alpha = blocks[..., 3].mean(axis=(1, 3))
    color = (blocks[..., :3] * blocks[..., 3:]).mean(axis=(1, 3)) / np.maximum(alpha, 1e-9)[..., None]
    return np.concatenate([color, alpha[..., None]], axis=2)


def plot_mesh(
    mesh: SurfaceMesh,
    ax: Axes | None = None,
    *,
    color: str | Shaped[np.ndarray, " polygons"] = "uniform",
    elevation: float = 22.0,
    azimuth: float = -60.0,
    up: int = 3,
    edges: bool | None = None,
    box: bool = True,
    frame: str = "surface",
    title: str | None = None,
    label: str | None = None,
    height: int = 900,
) -> Axes:
    """Draw a surface in space.

    Args:
        mesh: The surface.
        ax: Flat axes; new ones if None.
        color: As in `picture_of`.
        elevation: As in `picture_of`.
        azimuth: As in `picture_of`.
        up: As in `picture_of`.
        edges: As in `picture_of`.
        box: Whether to draw a box around it, with the coordinates of its ends.
        frame: As in `picture_of`.
        title: Title; polygons and Euler characteristic if None, none if "".
        label: What stands at the colour bar; what the colours are of if None.
        height: Height of the image in pixels; labels are text in any case.

    Returns:
        The axes. Nothing is shown or saved.

    Raises:
        InvalidInputError: If the colouring does not fit.

    Cost: linear in the number of triangles and of pixels.

    Example:
        >>> import splinescope, torch
        >>> identity = splinescope.from_torch(torch.nn.Identity(), input_shape=(3,))
        >>> mesh = splinescope.level_set(identity, splinescope.Box([-1, -1, -1], [1, 1, 1]), output=2)
        >>> plot_mesh(mesh, height=100).get_title()
        '1 polygon, Euler characteristic 1'
    """
    picture = picture_of(
        mesh, color, elevation=elevation, azimuth=azimuth, up=up, height=height, edges=edges, frame=frame
    )
    axes = _new_axes(picture) if ax is None else ax
    axes.set_axis_off()
    axes.set_aspect("equal")
    if box:
        draw_box(axes, picture, axis_names(mesh))
    axes.imshow(picture.image, origin="lower", extent=picture.extent, interpolation="antialiased", zorder=2)
    axes.set_title(mesh_title(mesh) if title is None else title, fontsize="medium")
    if picture.scale is not None:
        draw_color_bar(axes, picture.scale, label, shrink=0.6)
    if picture.classes:
        draw_class_legend(axes, picture.classes, mesh.class_names)
    return axes


def mesh_title(mesh: SurfaceMesh) -> str:
    """Polygons, parts and Euler characteristic, in words; of a truncated mesh, how many polygons there are at least."""
    polygons = f"{'at least ' if mesh.truncated else ''}{len(mesh):,} polygon{'' if len(mesh) == 1 else 's'}"
    parts = "" if mesh.num_parts <= 1 else f", {mesh.num_parts:,} parts"
    return f"{polygons}{parts}, Euler characteristic {mesh.euler_characteristic}" if len(mesh) else "empty surface"


def _new_axes(picture: MeshPicture) -> Axes:
    from matplotlib import pyplot

    left, right, bottom, top = picture.extent
    wide = (right - left) / (top - bottom)
    _, ax = pyplot.subplots(figsize=(max(4.4, 4.3 * wide + 0.6), 4.9), layout="compressed")
    return ax
