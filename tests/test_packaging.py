"""An installed package has the data that its modules read."""

from contextlib import chdir
from pathlib import Path

from setuptools import Distribution
from setuptools.command.build_py import build_py
from setuptools.config.pyprojecttoml import apply_configuration

ROOT = Path(__file__).parents[1]
PACKAGES = ("streams", "labeling", "rewriting", "failure_isolation", "services")
READ = (".toml", ".html", ".json", ".typed")


def test_every_data_file_of_a_package_is_built_into_the_wheel() -> None:
    there = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in READ
    }
    with chdir(ROOT):
        build = build_py(apply_configuration(Distribution(), "pyproject.toml"))
        build.finalize_options()
        build.manifest_files = {}  # of what a version control names; a wheel may come without one
        built = {
            Path(file).as_posix()
            for package in build.packages
            for file in build.find_data_files(package, build.get_package_dir(package))
        }
    assert any(name.startswith("labeling/text/languages/") for name in there)
    assert any(name.startswith("rewriting/guards/") for name in there)
    assert there <= built, there - built
