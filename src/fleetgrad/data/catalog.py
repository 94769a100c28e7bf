"""The sets that have names: what their files are, and who mirrors them.

Sizes and checksums are the published ones (MNIST: Y. LeCun, C. Cortes, C. Burges; Fashion-MNIST:
H. Xiao, K. Rasul, R. Vollgraf, 2017; Kuzushiji-MNIST: T. Clanuwat and others, 2018); a mirror that
serves anything else is passed over.
"""

from dataclasses import dataclass
from pathlib import Path

from fleetgrad.data.download import Remote, is_right
from fleetgrad.data.folders import FILES

_GITHUB = "https://raw.githubusercontent.com"
_PINNED = "0f30b9c852904dc63a7902c1d2a2f5c61d0547e4"


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A set of four IDX files that can be fetched.

    Args:
        title: Its full name.
        mirrors: Addresses of folders that hold the files.
        files: In the order of `folders.FILES`.
    """

    title: str
    mirrors: tuple[str, ...]
    files: tuple[Remote, ...]


def _files(*sums: tuple[int, str]) -> tuple[Remote, ...]:
    named = zip(FILES, sums, strict=True)
    return tuple(Remote(f"{name}.gz", size, f"sha256:{digest}") for name, (size, digest) in named)


SETS = {
    "fashion-mnist": NamedSet(
        "Fashion-MNIST: 70,000 pictures of clothes, 10 classes",
        (
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            f"{_GITHUB}/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        _files(
            (26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
    ),
    "kmnist": NamedSet(
        "Kuzushiji-MNIST: 70,000 handwritten Japanese characters, 10 classes",
        (
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            f"{_GITHUB}/namanlab/CVCNN_Paper/{_PINNED}/data/KMNIST/raw/",
        ),
        _files(
            (18165135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
            (29497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
            (3041136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
            (5120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        ),
    ),
    "mnist": NamedSet(
        "MNIST: 70,000 handwritten digits, 10 classes",
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        _files(
            (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
    ),
}


def recognized(labels: Path) -> str | None:
    """Which named set a file of training labels belongs to, told by its checksum."""
    size = labels.stat().st_size
    for name, named in SETS.items():
        remote = named.files[1]
        if size == remote.size and is_right(labels, remote.checksum):
            return name
    return None
