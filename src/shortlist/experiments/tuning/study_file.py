"""The study file: a SQLite database that keeps every trial, so that a search can go on where it ended."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shortlist.errors import ParameterError
from shortlist.experiments.tuning.search_space import optuna_module
from shortlist.output_file import require_writable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from optuna import Study
    from optuna.storages import BaseStorage

NAME = "shortlist tune"
IDENTITY = "identity"
# Of the tables that Optuna makes, these come in every version of its schema.
_TABLES = {"studies", "version_info"}
_PATIENCE_SECONDS = 30
Identity = dict[str, str]


@contextmanager
def study_of(
    file: Path | None, identity: Identity, *, maximize: bool, restart: bool = False
) -> Iterator[Study]:
    """Open the study in `file` (None: in memory), begun where there is none, and close it at the end.

    `identity` says what is searched, by name; a study of another search is refused, unless `restart` empties it.
    Raises `ParameterError` for a file that is no study, a study of another search (naming the difference) or one
    that another process has open; `MissingExtraError` without Optuna.
    """
    optuna = optuna_module()
    said = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    direction = "maximize" if maximize else "minimize"
    try:
        if file is None:
            yield optuna.create_study(study_name=NAME, direction=direction)
            return
        with _locked(file), _storage(optuna, file) as storage:
            if restart and NAME in optuna.get_all_study_names(storage):
                optuna.delete_study(study_name=NAME, storage=storage)
            study = optuna.create_study(
                study_name=NAME, storage=storage, direction=direction, load_if_exists=True
            )
            _require_same(study, identity, file)
            _give_up_unfinished(optuna, study)
            yield study
    finally:
        optuna.logging.set_verbosity(said)


def _require_same(study: Study, identity: Identity, file: Path) -> None:
    text = study.user_attrs.get(IDENTITY)
    if text is None:  # new, or its process was killed before it could say what it is
        study.set_user_attr(IDENTITY, json.dumps(identity))
        return
    differences = _differences(json.loads(text), identity)
    if differences:
        raise ParameterError(
            f"{file} holds a search for something else: {'; '.join(differences)}. "
            "Give another file for this one (--study), or begin anew in the same (--restart)"
        )


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return [
        f"{name} was {old.get(name, 'not there')}, now {new.get(name, 'not there')}"
        for name in dict.fromkeys([*new, *old])
        if old.get(name) != new.get(name)
    ]


def _give_up_unfinished(optuna: Any, study: Study) -> None:
    """Close trials that a killed process left open: they count as never tried."""
    state = optuna.trial.TrialState
    for trial in study.get_trials(deepcopy=False, states=(state.RUNNING,)):
        study.tell(trial.number, state=state.FAIL)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    require_writable(file)
    _require_study(file)
    with file.open("ab") as held:
        # flock and SQLite's own locks do not know each other; this one ends with the process, however it ends.
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ParameterError(
                f"another process is searching with {file}; wait for its end, or give another file (--study)"
            ) from None
        yield


def _require_study(file: Path) -> None:
    """Raise `ParameterError` for a file with something else in it: nobody's other database gets tables of ours."""
    if not file.exists() or not file.stat().st_size:
        return
    try:
        connection = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_SECONDS
        )
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise ParameterError(
            f"{file} is no study of a search ({error}); give another file (--study)"
        ) from error
    if tables and not tables & _TABLES:
        raise ParameterError(f"{file} is a database, but no study of a search; give another file (--study)")


@contextmanager
def _storage(optuna: Any, file: Path) -> Iterator[BaseStorage]:
    # Connections of our own making, since a path in a URL would need its own spelling of ?, # and %.
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(file, timeout=_PATIENCE_SECONDS, check_same_thread=False)

    from sqlalchemy.pool import QueuePool

    storage = optuna.storages.RDBStorage(
        "sqlite://", engine_kwargs={"creator": connect, "poolclass": QueuePool}
    )
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()
