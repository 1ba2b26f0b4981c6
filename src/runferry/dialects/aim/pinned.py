"""What Aim's environment is made of: what `import aim` imports and a new repository takes, and
nothing of its web app."""

from __future__ import annotations

from typing import Final

VERSION: Final = "3.29.1"
PYTHONS: Final = ((3, 12), (3, 11))
"""Versions of Python that all of these have packages for, and aimrocks has none for later ones."""
PINNED: Final = (
    f"aim=={VERSION}",
    "aimrecords==0.0.7",
    "aimrocks==0.5.2",
    "alembic==1.20.1",  # makes the database of a new repository
    "annotated-doc==0.0.7",
    "annotated-types==0.8.0",
    "anyio==4.16.0",
    "base58==2.0.1",
    "cachetools==8.0.1",
    "certifi==2026.10.18",
    "charset-normalizer==3.5.2",
    "fastapi==0.165.0",
    "filelock==3.32.7",
    "idna==3.20",
    "Mako==1.4.3",
    "MarkupSafe==3.0.4",
    "numpy==2.4.6",
    "opentelemetry-api==1.45.2",
    "pillow==13.0.0",
    "psutil==7.2.2",
    "pydantic==2.14.3",
    "pydantic_core==2.50.4",
    "python-dateutil==2.9.0.post0",
    "pytz==2026.6",
    "requests==2.34.2",
    "RestrictedPython==9.0",
    "six==1.17.0",
    "SQLAlchemy==2.1.9",
    "starlette==1.10.0",
    "tqdm==4.70.1",
    "typing-inspection==0.4.5",
    "typing_extensions==4.16.0",
    "urllib3==2.8.0",
    "websockets==17.4",
)
MEGABYTES: Final = (47, 211)
"""What is fetched, and what it takes on the disk."""
