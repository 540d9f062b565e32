"""Page images made ready for recognition: upright, square pixels, level, clean.

The order and the numbers are measured: deskewing is worth most (word accuracy of a skewed scan 0.91 to
0.98); rows of a standard fax are doubled; a light blur turns the stairs of a bilevel image into grey.
Specks are looked for in the fax's own pixels, before anything smears them. Upscaling beyond 200 dpi costs
a third more time for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.domain import Box
from pipeline.errors import UnreadableFile
from pipeline.pages.stored import Raster

Grey = npt.NDArray[np.uint8]

_DARK = 128
_LEAST_DPI, _MOST_DPI = 200.0, 300.0
# Standard deviation along and across the rows as they were sent, in pixels of the squared page. Rows of a
# coarse fax are stretched, which smears them already: as much blur again costs four words in a hundred.
_BLUR_COARSE, _BLUR_FINE, _BLUR_GREY = (1.2, 0.7), (1.0, 1.0), (0.8, 0.8)
_LONGEST = 32_000  # pixels; OpenCV's warpAffine takes sides that fit into 16 bits
_COARSE = 1.7  # a fax's resolution along its rows to that across them; a fine one's is 1.04
_STREAK = 61  # pixels; the longest strokes of letters have 30
_NEAR_INCHES, _SPECK = 0.075, 6
_MOST_SKEW = 4.0
_BLANK_SHARE = 0.00006  # of the page's pixels: about twenty small letters


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image to recognise, and how to get from its pixels to points on the upright page.

    `sharp` is the same image before it was blurred: words read better blurred, single digits sharp.
    """

    image: Grey
    sharp: Grey
    dpi: float
    skew: float

    def level_box(self, x0: float, top: float, x1: float, bottom: float) -> Box:
        """Pixels to points on the levelled page, on which lines are straight; drawn close around the ink.

        Where letters touch one another, Tesseract gives a word the height of its line and more.
        """
        left, upper = max(0, int(x0)), max(0, int(top))
        ink = self.image[upper : int(np.ceil(bottom)), left : int(np.ceil(x1))] < _DARK
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        if rows.size:
            x0, x1 = left + columns[0], left + columns[-1] + 1
            top, bottom = upper + rows[0], upper + rows[-1] + 1
        scale = 72 / self.dpi
        return Box(*(float(edge) * scale for edge in (x0, top, x1, bottom)))

    def page_box(self, box: Box) -> Box:
        """Points on the levelled page to points on the page as it is seen: the skew comes back."""
        if not self.skew:
            return box
        height, width = self.image.shape
        matrix = cv2.getRotationMatrix2D((width * 36 / self.dpi, height * 36 / self.dpi), -self.skew, 1)
        corners = np.array(
            [(x, y, 1) for x in (box.x0, box.x1) for y in (box.top, box.bottom)], dtype=np.float64
        )
        xs, ys = matrix @ corners.T
        return Box(float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))


def clean(raster: Raster) -> Raster:
    """Dark ink on white paper without specks, in the pixels it came in."""
    image = raster.image
    if not is_bilevel(image):
        image = _even_paper(image)
    if (image < _DARK).mean() > 0.5:
        image = np.subtract(255, image, dtype=np.uint8)
    image = _despeckled(image, raster.x_dpi, raster.y_dpi)
    if is_bilevel(image):
        image = _without_line_noise(image)
    return Raster(image, raster.x_dpi, raster.y_dpi, raster.rotation)


def turn(raster: Raster, degrees: int) -> Raster:
    """The page turned clockwise."""
    if not degrees:
        return raster
    x_dpi, y_dpi = (raster.y_dpi, raster.x_dpi) if degrees % 180 else (raster.x_dpi, raster.y_dpi)
    image = np.ascontiguousarray(np.rot90(raster.image, -degrees // 90))
    return Raster(image, x_dpi, y_dpi, (raster.rotation + degrees) % 360)


def squared(raster: Raster) -> tuple[Grey, float]:
    """(image, dpi) with square pixels, at 200 to 300 dpi. Raises UnreadableFile(too_large)."""
    width, height, dpi = _square_size(raster)
    if (height, width) == raster.image.shape:
        return raster.image, dpi
    smaller = width <= raster.image.shape[1] and height <= raster.image.shape[0]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(raster.image, (width, height), interpolation=how), np.uint8), dpi


def _square_size(raster: Raster) -> tuple[int, int, float]:
    """(width, height, dpi) of the page with square pixels, as fine as its finer side, within bounds.

    Raises UnreadableFile(too_large) where a side is longer than images may be here.
    """
    dpi = min(max(raster.x_dpi, raster.y_dpi, _LEAST_DPI), _MOST_DPI)
    height, width = raster.image.shape
    across, down = round(width * dpi / raster.x_dpi), round(height * dpi / raster.y_dpi)
    if max(width, height, across, down) > _LONGEST:
        raise UnreadableFile(
            "too_large",
            f"A side of the page's image has more than {_LONGEST} pixels.",
            next_step="Ask the sender to scan paper of letter size at 200 to 300 dots an inch.",
        )
    return max(1, across), max(1, down), dpi


def prepare(raster: Raster) -> Prepared:
    """An upright, clean page as the engine reads it best. Raises UnreadableFile(too_large)."""
    width, height, dpi = _square_size(raster)
    skew = find_skew(*squared(raster))
    across, down = width / raster.image.shape[1], height / raster.image.shape[0]
    # Stretching and levelling in one step, so that the pixels are smeared once.
    stretch = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), skew, 1) @ stretch
    level = cv2.warpAffine(raster.image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=(255,))
    x_blur, y_blur = _blur(raster)
    image = cv2.GaussianBlur(level, (0, 0), sigmaX=x_blur, sigmaY=y_blur)
    return Prepared(np.asarray(image, np.uint8), np.asarray(level, np.uint8), dpi, skew)


def is_coarse(raster: Raster) -> bool:
    """Whether the page came as a fax of standard resolution: black and white, half the rows of a fine one."""
    finer, coarser = max(raster.x_dpi, raster.y_dpi), min(raster.x_dpi, raster.y_dpi)
    return finer >= _COARSE * coarser and is_bilevel(raster.image)


def _blur(raster: Raster) -> tuple[float, float]:
    """How much the page is blurred across and down."""
    if not is_bilevel(raster.image):
        return _BLUR_GREY
    if not is_coarse(raster):
        return _BLUR_FINE
    along, across = _BLUR_COARSE
    return (along, across) if raster.y_dpi < raster.x_dpi else (across, along)


def find_skew(image: Grey, dpi: float) -> float:
    """Degrees anticlockwise by which to turn the page to make its lines level; to a tenth of a degree."""
    scale = 80 / dpi
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    ink = (small < 160).astype(np.float32)
    if ink.sum() < 50:
        return 0.0
    coarse = max(np.arange(-_MOST_SKEW, _MOST_SKEW + 0.1, 0.5), key=lambda angle: _sharpness(ink, angle))
    fine = max(np.arange(coarse - 0.4, coarse + 0.41, 0.1), key=lambda angle: _sharpness(ink, angle))
    return 0.0 if abs(fine) < 0.05 else float(fine)


def _sharpness(ink: npt.NDArray[np.float32], angle: float) -> float:
    """How sharply lines and gaps alternate down the page when it is turned by `angle`."""
    height, width = ink.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    rows = cv2.warpAffine(ink, matrix, (width, height)).sum(axis=1)
    return float(np.square(np.diff(rows)).sum())


def lies_sideways(image: Grey, dpi: float) -> float:
    """How much more the ink alternates across than down the page: above 0, lines seem to run upwards."""
    scale = 80 / dpi
    ink = (cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) < 160).astype(np.float32)
    down = np.square(np.diff(ink.sum(axis=1))).sum() + 1.0
    across = np.square(np.diff(ink.sum(axis=0))).sum() + 1.0
    return float(np.log(across / down))


def is_blank(raster: Raster) -> bool:
    """Whether a clean page has no ink to speak of. Punch holes, edges and dust are not ink."""
    height, width = raster.image.shape
    y, x = round(0.02 * height), round(0.02 * width)
    inner = raster.image[y : height - y, x : width - x]
    return float((inner < _DARK).mean()) < _BLANK_SHARE


def is_bilevel(image: Grey) -> bool:
    sample = image[::7, ::7]
    return bool(((sample < 8) | (sample > 247)).mean() > 0.995)


def _even_paper(image: Grey) -> Grey:
    """Paper to white and ink to black, whatever the scanner's exposure and shadows."""
    small = cv2.resize(image, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    # The paper around a place is the lightest thing near it: wider than a letter's stroke and height.
    paper = cv2.GaussianBlur(cv2.dilate(small, np.ones((9, 9), np.uint8)), (0, 0), 4)
    if float(np.median(paper)) < 70:
        return image  # a dark page is an inverted one, or a photograph
    paper = cv2.resize(paper, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    level = cv2.divide(image, paper, scale=250)
    ink = float(np.percentile(level[::3, ::3], 0.5))
    if 60 < ink < 200:  # faint: stretch so that its darkest part is black; lighter still is an empty page
        level = np.clip((level.astype(np.float32) - ink) * (250 / (250 - ink)), 0, 255).astype(np.uint8)
    return np.asarray(level, np.uint8)


def _despeckled(image: Grey, x_dpi: float, y_dpi: float) -> Grey:
    """Without specks that stand alone.

    Only what has no other ink near it goes, for on a faint or coarse fax the letters themselves fall into
    specks: taking away all small ones costs the dots of i and of decimals, and a tenth of the words.
    """
    ink = (image < _DARK).astype(np.uint8)
    reach = (max(3, round(_NEAR_INCHES * y_dpi)), max(3, round(_NEAR_INCHES * x_dpi)))
    near = cv2.dilate(ink, np.ones(reach, np.uint8))
    count, labels = cv2.connectedComponents(near, connectivity=8)
    alone = np.bincount(labels[ink > 0], minlength=count) <= _SPECK
    alone[0] = False
    result = image.copy()
    result[alone[labels]] = 255
    return result


def _without_line_noise(image: Grey) -> Grey:
    """A fax without what a bad line makes of it: streaks along one row, and holes of a pixel in the ink.

    A streak runs exactly along the rows as they were sent and is one row thick, which a printed rule on
    a sheet laid by hand hardly is. Where it touches a stroke, the stroke stays.
    """
    ink = np.pad((image < _DARK).astype(np.uint8), 1)
    above, below = ink[:-2, 1:-1] > 0, ink[2:, 1:-1] > 0
    runs = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, _STREAK), np.uint8)) > 0
    streak = runs[1:-1, 1:-1] & ~runs[:-2, 1:-1] & ~runs[2:, 1:-1]
    around = cv2.filter2D(ink, -1, np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.float32))[1:-1, 1:-1]
    result = image.copy()
    result[(around >= 7) & (ink[1:-1, 1:-1] == 0)] = 0
    result[streak & ~(above | below)] = 255
    return result
