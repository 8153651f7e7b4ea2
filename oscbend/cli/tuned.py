"""What a live show draws with on a processor: as usual, or as `--tune` found to be best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oscbend.cli import options as o

if TYPE_CHECKING:
    from oscbend.net.setting import Setting
    from oscbend.render import Film


def setting_for(film: Film, how: o.Loading, tune: bool) -> Setting | None:
    """How a show is drawn here; None as usual.

    Args:
        film: what the show begins with.
        how: how its model is loaded.
        tune: measure now, and remember what is best.
    """
    from oscbend import tuning
    from oscbend.net import load

    device = how.device or load.best_device()
    if device != "cpu":
        if tune:
            o.say(f"--tune does nothing: it is for processors, and this is drawn on {device}")
        return None
    memory = tuning.Memory(say=o.say)
    case = tuning.Case.here(how.named(film.model), film.width, film.height)
    if not tune:
        found = memory.find(case)
        if found is not None:
            o.say(f"drawn as --tune found best here: {found}")
        return found
    o.say(f"measuring what is fastest for {case.model} at {case.size} on {case.cpu}")
    fixed = [name for name, said in (("dtype", how.precision), ("compiled", how.compile)) if said]
    loading = how.options() | how.loras()

    def loaded(setting: Setting | None) -> Any:
        chosen = {} if setting is None else setting.loading()
        return load.load(film.model, **loading | chosen)

    found = tuning.tune(loaded, *tuning.frame_of(film), o.say, fixed)
    memory.keep(case, found)
    o.say(f"drawn from now on, in live shows here: {found}")
    return found
