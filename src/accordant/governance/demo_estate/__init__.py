"""The estate of a made-up company with four sandboxes: what `accordant demo` begins with."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

_PARTS = ("approvals.yaml", "collections.yaml", "connections.yaml", "ownership.yaml", "policies.yaml", "reference")


def install(folder: Path) -> bool:
    """Copy the demo estate into a folder that has none yet; False, and nothing touched, where there is one."""
    if any((folder / part).exists() for part in _PARTS):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    with as_file(files(__name__)) as source:
        for part in _PARTS:
            if (source / part).is_dir():
                shutil.copytree(source / part, folder / part)
            else:
                shutil.copyfile(source / part, folder / part)
    return True
