"""Scripts that complete the commands and options of ``alliance``, written from its parser."""

import argparse
from collections.abc import Mapping, Sequence


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for ``shell``: bash, zsh or fish."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](options_of(parser))


def options_of(parser: argparse.ArgumentParser) -> dict[str, tuple[str, ...]]:
    """Long options of each command."""
    action = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return {
        name: tuple(o for a in command._actions for o in a.option_strings if o.startswith("--"))
        for name, command in action.choices.items()
    }


def _bash(options: Mapping[str, Sequence[str]]) -> str:
    cases = "\n".join(f"    {name}) words='{' '.join(some)}' ;;" for name, some in options.items())
    return f"""# alliance completion bash >> ~/.bashrc
_alliance() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" words=''
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '{" ".join(options)}' -- "$current"))
  elif [[ "$current" == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -o filenames -F _alliance alliance"""


def _zsh(options: Mapping[str, Sequence[str]]) -> str:
    return "# alliance completion zsh >> ~/.zshrc\nautoload -U +X bashcompinit && bashcompinit\n" + "\n".join(
        _bash(options).splitlines()[1:]
    )


def _fish(options: Mapping[str, Sequence[str]]) -> str:
    lines = ["# alliance completion fish > ~/.config/fish/completions/alliance.fish"]
    for name, some in options.items():
        lines.append(f"complete -c alliance -n __fish_use_subcommand -f -a {name}")
        lines += [
            f"complete -c alliance -n '__fish_seen_subcommand_from {name}' -l {option.removeprefix('--')}"
            for option in some
        ]
    return "\n".join(lines)
