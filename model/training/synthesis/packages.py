"""The packages that shapes are made from: names, exact versions, digests.

Fonts: SIL Open Font License 1.1. Strokes: Arphic Public License. Nothing of them is shipped.
"""

from dataclasses import dataclass

import npm.package


@dataclass(frozen=True)
class Package(npm.package.Package):
    """One npm package, and whether it holds strokes, not fonts."""

    strokes: bool = False


STROKES = Package(
    "hanzi-writer-data",
    "2.0.1",
    "nbQwM+MaryGoq7pBMIZLCd3lFq03nXuJuwku1+6UbjL58uU+9OULVcMkoNvNuJSoIV7f1bbPRfD4D/LQa5S7qg==",
    strokes=True,
)

# In order: those that draw all of the default label list first, brushes and running hands last.
# Left out: what draws these characters as another one does (yuji-mai and yuji-syuku as yuji-boku),
# and what readers of real handwriting cannot read (liu-jian-mao-cao).
FONTS = (
    Package(
        "@fontsource/iansui",
        "5.3.0",
        "id4d5BwvRaJJn4tkLhyvbDWTDZ8Z1phjP3c1XFTkAV/uE+m+bAz28wsQWDADWACNNdLifMeohZ/Vepg7N5K5iA==",
    ),
    Package(
        "@fontsource/lxgw-wenkai-tc",
        "5.3.0",
        "uH/YIfs+B6onN1JfvqzXG6of1i9so9/LCXQkblPWWqBSAoU6PzUELjBMEaLeOi5thnoFR68DqCfdlfA72oxHZw==",
    ),
    Package(
        "@fontsource/lxgw-marker-gothic",
        "5.3.0",
        "MydZ34u77iS9fu30OzHBa5eHDcBEL+D9UEi7LqMJRJIqDDyZuchxRb07m0MIZfdGrQiKwj0oSIBrLzPoa0TR2A==",
    ),
    Package(
        "@fontsource/huninn",
        "5.3.0",
        "aXA0W8ISDrhu1uU/aS/6sxbZg9OzRXn1EG9WbJquuI7LM1iPpkCqGlvAI1cH/xjkiggmRfgeu7FftYOLq7MGGQ==",
    ),
    Package(
        "@fontsource/wdxl-lubrifont-tc",
        "5.3.0",
        "TjJni3uzErIeB2ITRRP6ZZSfZToBS5vQuEPc9Bu6Q8ZBrGdOZXuC/rX7qclbvtK3Dzxcnjnl53zrJEIVQqhCeg==",
    ),
    Package(
        "@fontsource/cactus-classical-serif",
        "5.3.0",
        "8A7cg8Q6O8pkIT+V1S4WqUkRjhEMHK8Sfm7QJeawTRQVHXXDnSHo6PFtHrLjZm/eanf4MvsZbNOAi91z+mzKdw==",
    ),
    Package(
        "@fontsource/chocolate-classical-sans",
        "5.3.0",
        "7pJP86lh0wQ3lP3apvkMQjZz08EGlOANWa515wwspxiOEX97hM/nEWbauh3qBxoGRGi0BHGXavImCXCB/cfu8g==",
    ),
    Package(
        "@fontsource/klee-one",
        "5.3.0",
        "1mnMRQO70AnTCHaWy5ovYKjbvszpOp7//bMDZ+PnjBMmar5YRcbskVzM4u+Syd8CMWw353R3BvsrsKQrwVRnEw==",
    ),
    Package(
        "@fontsource/yuji-boku",
        "5.3.0",
        "DdM6GebHQ79LTZSv1wyjrNl0pgsf40X7dgiCydWXOMtY5PrZX/ZksWjbQVxVqjU0Xofw0cEJJf5Vd2VXiElWEw==",
    ),
    Package(
        "@fontsource/kiwi-maru",
        "5.3.0",
        "8zcSONeRZPzSWdkP+uoNoEVciJn985ZDB57zwRer9dGZ/1+/pnQYkyCz5OEbnoXvbFyVnA0Dx0r+lv6tu+wTGA==",
    ),
    Package(
        "@fontsource/hachi-maru-pop",
        "5.3.0",
        "P46hjUscQPRUr2QpSNxzll6yRSOlbOY4nCo3dGRNd9U0CJ9PRreLm5FOtoPAWJv0dJ9m+5zYf4cbbpTJu3pbXg==",
    ),
    Package(
        "@fontsource/yomogi",
        "5.3.0",
        "D35BWMd0BVhtYfpE7r1UfTNZHxaFVvLw4Rz2ym+yvEE7vlIfwtZEQFp4VFCvlcH+BwoAJD1mFH/r/XV7qDxeyg==",
    ),
    Package(
        "@fontsource/yusei-magic",
        "5.3.0",
        "1gSpUCpFQUmCUfh7YkKTjBC89wXnijwKZO3cfIMBx/Rlb7WjfHfIjK8PilB2/tOeq68ezAd8ODWNrg/zere2JA==",
    ),
    Package(
        "@fontsource/zen-kurenaido",
        "5.3.0",
        "Oh7XLWpdTV7/f6xgdw3pmDPpu8OHEdXu9QEL2TEjoBeg85z1qWMb4lvQYDtNQx6gaERvKQ0OrgvpS3S/ka/+bA==",
    ),
    Package(
        "@fontsource/long-cang",
        "5.3.0",
        "lCcBJb+LWZpYCVtGvQRiZPy5/EaGPuYLycpJXUIOz28EYGGqhTVWBRqY6ucaW8l1F8gvfjutY1PoAPUrFiP0wg==",
    ),
    Package(
        "@fontsource/ma-shan-zheng",
        "5.3.1",
        "cGGn7Yje2RSduXVxEk+rCfNZyD/T/7FMGj03LNPiK8TRL9Sing0tq1zJF3n+W29szPqgb2RNs5oIvmm+ikeI+Q==",
    ),
    Package(
        "@fontsource/zhi-mang-xing",
        "5.3.0",
        "V21yCCm5o2PHdXF2P9KKh7uiqL8QFFuII4DRQkpG24tfyDzJPchXKsxkcvKM43xEPvQKdbhHCBbXEFjcm/TUCQ==",
    ),
)
