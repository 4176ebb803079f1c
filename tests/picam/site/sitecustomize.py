"""Python imports this by itself wherever `tests/picam/site` is on its path: the rig gets in there."""

from tests.picam.virtualcam import install_on_import

install_on_import()
