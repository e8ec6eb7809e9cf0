"""Finds the converted model for each module of a pipeline."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from converter.errors import InputError
from converter.model.roles import Role
from converter.paddlex.modules import NO_MODEL, ConvertedModel
from converter.paddlex.pipeline import Module
from converter.paddlex.placement import CannotPlaceError, Placement, Placer, Route

#: Roles in which one model can stand for another. Not layout detection, whose labels the config
#: counts on, and not tables, where wired and wireless ones have a model each.
_EXCHANGEABLE: frozenset[Role] = frozenset(
    {
        "text_detection",
        "seal_text_detection",
        "text_recognition",
        "textline_orientation",
        "doc_orientation",
        "doc_unwarping",
        "table_classification",
        "formula_recognition",
    }
)


@dataclass(frozen=True)
class Match:
    """What serves a module. ``how``: the config's own model, one of its kind, the user's choice.

    Without a model: ``none`` fits, the user switched it ``off``, or it was ``skipped``; ``reason``
    says why, ``fix`` what to do about it.
    """

    module: Module
    how: Literal["name", "role", "use", "none", "off", "skipped"]
    model: ConvertedModel | None = None
    placement: Placement | None = None
    reason: str = ""
    fix: str = ""


def match_modules(
    modules: Sequence[Module],
    models: Iterable[ConvertedModel],
    placer: Placer,
    *,
    use: Mapping[str, str],
    place: Mapping[str, Route],
) -> list[Match]:
    """One match per module, in order.

    ``use`` maps modules to models or ``none``, ``place`` maps modules or models to routes; a
    module is named by its path or the end of it, and the longest name that fits counts. Raises
    ``InputError`` for names that fit nothing, for several models that fit one module, and for a
    model that cannot run where it was asked to.
    """
    models = tuple(models)
    matcher = _Matcher(models, placer, use, place)
    check_names(use, place, modules, models)
    matches = [matcher.match(module) for module in modules]
    matcher.raise_problems()
    return matches


def candidates(
    module: Module, models: Sequence[ConvertedModel]
) -> tuple[Literal["name", "role"], list[ConvertedModel]]:
    """The models that fit a module for which none was chosen, and by what they do."""
    named = [model for model in models if model.model_name == module.model_name]
    if named or module.role not in _EXCHANGEABLE:
        return "name", named
    return "role", [model for model in models if model.role == module.role]


def would_serve(match: Match, model: ConvertedModel) -> bool:
    """Whether a model that was not there for ``match`` fits its module as well as what was found.

    With it, it would serve the module, or there would be a choice to make.
    """
    module = match.module
    named = bool(model.model_name) and model.model_name == module.model_name
    alike = module.role in _EXCHANGEABLE and module.role == model.role
    return match.how in ("name", "role", "none") and (named or (alike and match.how != "name"))


def select(module: Module, chosen: Mapping[str, str]) -> str | None:
    """The name in ``chosen`` that fits this module best."""
    fitting = [name for name in chosen if fits(module, name)]
    return max(fitting, key=len, default=None)


def fits(module: Module, name: str) -> bool:
    """Whether ``name`` is the module's path or the end of it."""
    return module.name == name or module.name.endswith(f".{name}")


class _Matcher:
    def __init__(
        self,
        models: tuple[ConvertedModel, ...],
        placer: Placer,
        use: Mapping[str, str],
        place: Mapping[str, Route],
    ) -> None:
        self.models = models
        self.placer = placer
        self.use = use
        self.place = place
        self.ambiguous: list[tuple[Module, list[ConvertedModel]]] = []
        self.unplaced: dict[str, CannotPlaceError] = {}

    def match(self, module: Module) -> Match:
        selector = select(module, self.use)
        choice = self.use[selector] if selector else None
        if choice == NO_MODEL:
            return Match(module, "off", reason="switched off with --use")
        if module.skipped:
            return Match(module, "skipped", reason=module.skipped)
        chosen = self._chosen(module, choice, selector == module.name) if choice else None
        if chosen:
            return chosen
        how, fitting = candidates(module, self.models)
        return self._first(module, fitting, how) if fitting else self._none(module)

    def raise_problems(self) -> None:
        """Raise ``InputError`` for everything that was in the way, at once."""
        if self.ambiguous:
            module, models = self.ambiguous[0]
            names = " and ".join(model.name for model in models)
            others = ", ".join(other.name for other, _ in self.ambiguous[1:])
            raise InputError(
                f"{len(models)} models fit {module.name}: {names}"
                + (f"; and several fit {others}" if others else ""),
                hint=f"choose one: --use {module.name}={models[0].name}"
                + (f" (or ={NO_MODEL})" if module.own_switch else ""),
            )
        if self.unplaced:
            problems = list(self.unplaced.values())
            fixes = list(dict.fromkeys(problem.fix for problem in problems))
            raise InputError(
                "; ".join(problem.reason for problem in problems), hint="; ".join(fixes)
            )

    def _first(
        self, module: Module, candidates: list[ConvertedModel], how: Literal["name", "role", "use"]
    ) -> Match:
        placed: list[tuple[ConvertedModel, Placement]] = []
        problem: CannotPlaceError | None = None
        for model in candidates:
            try:
                placed.append((model, self.placer.place(model, self._asked(module, model))))
            except CannotPlaceError as error:
                problem = error
        if len(placed) > 1:
            self.ambiguous.append((module, [model for model, _ in placed]))
        if not placed:
            assert problem is not None
            if module.own_switch:
                fix = f"{problem.fix}, or --use {module.name}={NO_MODEL}"
                problem = CannotPlaceError(problem.reason, fix)
            self.unplaced.setdefault(candidates[0].name, problem)
            return Match(module, "none", reason=problem.reason, fix=problem.fix)
        return Match(module, how, *placed[0])

    def _asked(self, module: Module, model: ConvertedModel) -> Route | None:
        selector = select(module, self.place)
        by_model = next((n for n in (model.name, model.model_name) if n in self.place), None)
        name = selector or by_model
        return self.place[name] if name else None

    def _chosen(self, module: Module, choice: str, exact: bool) -> Match | None:
        named = [model for model in self.models if model.name == choice]
        named = named or [model for model in self.models if model.model_name == choice]
        if len(named) > 1:
            raise InputError(
                f"{len(named)} models are called {choice}: {', '.join(m.name for m in named)}",
                hint=f"use the directory name: --use {module.name}={named[0].name}",
            )
        model = named[0]
        if module.role and model.role != module.role:
            if not exact:  # meant for another module whose path ends like this one's
                return None
            raise InputError(
                f"{model.name} does not fit {module.name}",
                hint=model.problem or f"its inference.yml says that it is for {_words(model.role)}",
            )
        if not model.model_name:
            raise InputError(f"{model.name} cannot be used: {model.problem}", hint="repair it")
        return self._first(module, [model], "use")

    def _none(self, module: Module) -> Match:
        broken = [m for m in self.models if not m.model_name and m.name == module.model_name]
        if broken:
            return Match(module, "none", reason=broken[0].problem, fix="repair that directory")
        return Match(
            module,
            "none",
            reason=f"there is no converted {module.model_name}",
            fix=f"convert {module.model_name} into the same directory",
        )


def check_names(
    use: Mapping[str, str],
    place: Mapping[str, Route],
    modules: Sequence[Module],
    models: Sequence[ConvertedModel],
) -> None:
    """Raise ``InputError`` for a module or model that there is not."""
    paths = [module.name for module in modules]
    names = [name for model in models for name in dict.fromkeys((model.name, model.model_name))]
    groups = {path.rpartition(".")[0] for path in paths} - {""}
    for name, model in use.items():
        if not any(fits(module, name) for module in modules) and not (
            model == NO_MODEL and any(g == name or g.endswith(f".{name}") for g in groups)
        ):
            raise InputError(
                f"this pipeline has no module {name}", hint=suggest(name, paths, "its modules are")
            )
        if model != NO_MODEL and model not in names:
            raise InputError(
                f"there is no model {model} for {name}",
                hint=suggest(model, [m.name for m in models], "the models here are"),
            )
    for name in place:
        if name not in names and not any(fits(module, name) for module in modules):
            raise InputError(
                f"--place {name}: there is no such module or model",
                hint=suggest(name, [*paths, *names], "there are"),
            )


def _words(role: Role | None) -> str:
    return str(role).replace("_", " ")


#: Names that a hint lists beside the one that was probably meant.
_LISTED = 12


def suggest(name: str, known: Sequence[str], listing: str) -> str:
    """A hint that names what was probably meant, and everything that there is.

    Of more than ``_LISTED`` names not all are told where one of them was probably meant.
    """
    lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    if close and len(known) > _LISTED:
        return f"did you mean {lower[close[0]]}? there are {len(known) - 1} others"
    meant = f"did you mean {lower[close[0]]}? " if close else ""
    return f"{meant}{listing} {', '.join(known)}"
