"""Commands that change the work tree or the environment: what may be the resolution of an error.

Belongs here: installs, migrations, generators, fixers, edits by command (`sed -i`, `git restore`, here-documents), moving and
deleting files, starting services. Verifications are `goals`; edits by an edit tool are no commands.
"""

# ruff: noqa: SIM905 - a list of words reads as words

from __future__ import annotations

import re
from dataclasses import dataclass

from debug_loop_pipeline.compute.commands.shell import Simple


@dataclass(frozen=True, slots=True)
class Change:
    """A change and the files that the command names itself."""

    files: tuple[str, ...] = ()
    content: str | None = None
    """What a here-document writes into the one file of `files` (None where it appends, or is not known)."""


def _pairs(text: str) -> dict[str, frozenset[str]]:
    """Lines `program ...: subcommand ...` as program -> subcommands."""
    table: dict[str, frozenset[str]] = {}
    for line in text.strip().splitlines():
        programs, _, subcommands = line.partition(":")
        for program in programs.split():
            table[program] = table.get(program, frozenset()) | frozenset(subcommands.split())
    return table


_SUBCOMMANDS = _pairs(
    """
npm pnpm yarn bun: install i add ci remove rm uninstall un update up upgrade link unlink dedupe rebuild prune init pkg version set
npm: config cache shrinkwrap
vp: install i add remove rm update up dedupe link unlink create migrate
pnpm yarn: import patch config approve-builds
pip pip3: install uninstall
uv: add remove sync lock venv init
poetry pdm rye pipenv hatch: add install remove update lock sync init self shell env
conda mamba micromamba: install create update remove env
go: get generate fix work mod clean
cargo: add remove update fix generate install new init vendor sqlx insta clean upgrade
rustup: install update target component default override toolchain
gem: install uninstall update
bundle: install update add lock init
composer: install require update remove dump-autoload
apt apt-get yum dnf apk pacman zypper brew snap port choco winget scoop nix-env: install add remove upgrade update -S -Sy -i services link
dotnet: add restore new tool ef remove sln workload user-secrets nuget clean
mix: deps.get deps.update deps.compile ecto.migrate ecto.create ecto.reset ecto.gen.migration phx.gen.context phx.gen.schema archive.install
flutter dart: pub create clean upgrade
pod: install update repo
carthage: update bootstrap
nvm fnm asdf pyenv rbenv volta mise rtx sdk: install use global local set pin default trust
helm: install upgrade repo dependency uninstall
terraform tofu: init apply destroy import state
docker podman: start restart stop rm rmi pull volume network system
systemctl service: start restart stop reload enable
pg_ctl pg_ctlcluster: start restart stop reload init initdb promote
alembic: upgrade downgrade revision stamp
flask: db
prisma: generate migrate db
knex sequelize sequelize-cli typeorm drizzle-kit mikro-orm: migrate:latest migrate:rollback db:migrate migration:run migration:generate generate push migrate seed:run db:seed
rails rake: db:migrate db:create db:reset db:setup db:schema:load db:seed generate g destroy
artisan: migrate make:migration make:model make:controller db:seed key:generate cache:clear config:clear
goose dbmate flyway liquibase atlas migrate: up down migrate apply new create
buf sqlc ent wire: generate
templ gqlgen: generate
graphql-codegen openapi-generator openapi-generator-cli swagger-codegen: generate
shadcn shadcn-ui: add init
changeset: add version
pre-commit husky lefthook: install autoupdate init uninstall
playwright: install install-deps
ruff: clean
git: restore stash reset revert cherry-pick merge rebase pull apply am clean rm mv submodule
ng nx nest: generate g add migrate
django-admin: startproject startapp makemessages
manage.py: migrate makemigrations flush loaddata createsuperuser collectstatic startapp compilemessages
hg svn: revert update
"""
)
_ALWAYS = frozenset(
    "mv cp rm ln chmod chown touch truncate patch apply_patch unzip mockgen protoc stringer swag wire rsync wget"
    " createdb dropdb createuser dropuser initdb pg_createcluster pg_dropcluster pg_restore cookiecutter degit graphql-codegen"
    " create-next-app create-vite create-react-app quicktype codemod jscodeshift ast-grep lint-staged pyupgrade unimport"
    " go-bindata stringer deepcopy-gen controller-gen easyjson ffjson msgp sd".split()
)
_NAMES_FILES = frozenset("mv cp rm ln chmod chown touch truncate".split())
_WRITERS = frozenset(
    "cat echo printf tee sed awk gawk jq yq envsubst sort tr cut base64 openssl head tail python python3 node perl".split()
)
_COMPOSE_CHANGES = frozenset("up down start restart stop rm pull".split())
_GIT_REF_OPTIONS = frozenset({"-b", "-B", "--orphan", "--track", "-t", "--detach"})
_WRITE_CALL = re.compile(
    r"""open\(\s*(?:r|f|rb)?(['"])(?P<py>[^'"\n]+)\1\s*,\s*(?:mode\s*=\s*)?['"](?:w|a|r\+|x|wb|ab|wt)"""
    r"""|(?:Path|pathlib\.Path)\(\s*(['"])(?P<path>[^'"\n]+)\3\s*\)\.write_(?:text|bytes)"""
    r"""|(?:writeFile|writeFileSync|appendFileSync|Bun\.write|Deno\.writeTextFile(?:Sync)?|file_put_contents|File\.write)"""
    r"""\(\s*(['"`])(?P<js>[^'"`\n]+)\5""",
)
_WRITE_BY_NAME = re.compile(
    r"""open\(\s*(?P<opened>[A-Za-z_]\w*)\s*,\s*(?:mode\s*=\s*)?['"](?:w|a|r\+|x|wb|ab|wt)|\b(?P<path>[A-Za-z_]\w*)\.write_(?:text|bytes)\("""
    r"""|(?:writeFile|writeFileSync|appendFileSync|Bun\.write|Deno\.writeTextFile(?:Sync)?|File\.write)\(\s*(?P<js>[A-Za-z_$][\w$]*)\s*,"""
    r"""|file_put_contents\(\s*\$(?P<php>\w+)\s*,"""
)
_NAMED = r"""\b{name}\s*(?::[^=\n]+)?=\s*(?:(?:pathlib\.)?Path\(\s*)?(['"`])(?P<one>[^'"`\n]+)\1|\bfor\s+(?:const\s+|let\s+)?{name}\s+(?:in|of)\s*[\[(](?P<many>[^\])]*)[\])]"""
_MADE = r"""\b{name}\s*=\s*(?P<made>(?:(?:Path|os\.path\.join)\(\s?)?\$?[A-Za-z_]\w*\s?[/+.,]\s?['"][^'"\n]+['"])"""
_FOREACH = r"""\bforeach\s*\(\s*\$(?P<list>\w+)\s+as\s+\${name}\b"""
_JOIN = re.compile(r"""\b(?P<base>[A-Za-z_]\w*)\s?[/+.,]\s?(['"])(?P<rest>[^'"\n]+\.\w+)\2""")
_FOLDER = r"""\b{name}\s*=\s*(?:(?:pathlib\.)?Path\(\s*)?(['"])(?P<folder>[^'"\n]+)\1\)?\s*(?:;|\n|#)"""
_LITERAL = re.compile(r"""(['"`])([^'"`\n]+)\1""")
_WRITES_SOMETHING = re.compile(
    r"""\.write_text\(|\.write_bytes\(|open\([^)\n]*,\s*(?:mode\s*=\s*)?['"](?:w|a|r\+|x|wb|ab|wt)\+?['"]|writeFileSync\(|fs\.(?:promises\.)?writeFile\("""
    r"""|\bfile_put_contents\(|\bFile\.write\("""
    r"""|shutil\.(?:copy|move|rmtree)|os\.(?:rename|remove|unlink|replace)\(|fileinput\.(?:input|FileInput)\([^)]*inplace"""
)
_PATCHED = re.compile(r"^(?:\+\+\+ (?:b/)?|\*\*\* (?:Update|Add|Delete) File: )(\S+)", re.MULTILINE)


def written_files(code: str) -> tuple[str, ...]:
    """Files that a script's text opens for writing, under a literal name or a variable that has one (forms of Python, JavaScript, PHP and Ruby)."""
    names = [m.group("py") or m.group("path") or m.group("js") for m in _WRITE_CALL.finditer(code)]
    variables = dict.fromkeys(
        m.group("opened") or m.group("path") or m.group("js") or m.group("php") for m in _WRITE_BY_NAME.finditer(code)
    )
    for variable in variables:
        for given in re.finditer(_NAMED.format(name=re.escape(variable)), code):
            names += [given["one"]] if given["one"] else _listed(given["many"], code)
        for given in re.finditer(_MADE.format(name=re.escape(variable)), code):
            names += _joined(given["made"], code)
        for given in re.finditer(_FOREACH.format(name=re.escape(variable)), code):
            found = re.search(rf"\${given['list']}\s*=\s*\[([^\]]*)\]", code)
            names += _listed(found[1], code) if found is not None else []
    return tuple(dict.fromkeys(names))


def _listed(items: str, code: str) -> list[str]:
    """The names in a list: literals, and those that are joined to a folder."""
    return _joined(items, code) or [name for _, name in _LITERAL.findall(items)]


def _joined(expression: str, code: str) -> list[str]:
    """Names that an expression joins to a folder that the script names (`ROOT / "a.py"`, `$root . '/a.php'`)."""
    names: list[str] = []
    for part in _JOIN.finditer(expression):
        base = re.search(_FOLDER.format(name=re.escape(part["base"])), code)
        if base is not None:
            names.append(f"{base['folder'].rstrip('/')}/{part['rest'].lstrip('/')}")
    return names


def writes_files(code: str) -> bool:
    """Whether a script's text writes, moves or deletes files at all."""
    return _WRITES_SOMETHING.search(code) is not None or _WRITE_CALL.search(code) is not None


def change_of(words: list[str], simple: Simple) -> Change | None:
    """The change that a command makes, None where it changes nothing that is known of.

    `words` are the command's words without wrappers; `simple` has its redirections.
    """
    redirected = _redirected(words, simple)
    if redirected is not None:
        return redirected
    if not words:
        return None
    name = words[0].rsplit("/", 1)[-1]
    args = words[1:]
    if name in ("--help", "--version") or "--help" in args or "--version" in args:
        return None
    if name == "git":
        return _git(args)
    if name == "sed" or name in ("gsed", "perl", "ruby", "awk", "gawk"):
        return _in_place(name, args)
    if name == "tee":
        return Change(tuple(a for a in args if not a.startswith("-") and not a.startswith("/dev/")))
    if name in ("patch", "apply_patch"):
        return Change(tuple(dict.fromkeys(_PATCHED.findall(simple.heredoc or " ".join(args)))))
    if name in ("docker", "podman", "docker-compose"):
        return _compose(name, args)
    if name == "go" and args[:1] == ["mod"]:
        return Change() if args[1:2] and args[1] in ("tidy", "download", "init", "edit", "vendor") else None
    if name == "git-lfs" or (name in ("python", "python3") and args[:2] == ["-m", "pip"]):
        return Change() if args[2:3] in (["install"], ["uninstall"]) else None
    if name in ("python", "python3") and args[:2] in (["-m", "venv"], ["-m", "virtualenv"], ["-m", "ensurepip"]):
        return Change()
    if name == "uv" and args[:1] == ["pip"]:
        return Change() if args[1:2] in (["install"], ["uninstall"], ["sync"], ["compile"]) else None
    if name in ("curl", "wget") and any(a in ("-o", "-O", "--output", "-LO", "-sSLO", "-OL") for a in args):
        return Change()
    if name == "tar" and args and "x" in args[0].lstrip("-").split("f")[0]:
        return Change()
    if name == "find" and "-delete" in args:
        return Change()
    if name in ("pg_ctl", "pg_ctlcluster"):
        return Change() if _SUBCOMMANDS[name].intersection(args) else None
    if name in _ALWAYS:
        operands = _operands(args)
        return Change(operands[-1:] if name in ("cp", "ln") else operands) if name in _NAMES_FILES else Change()
    if name == "php" and args[:1] and args[0].endswith("artisan"):
        name, args = "artisan", args[1:]
    if name in ("python", "python3") and args[:1] and args[0].endswith("manage.py"):
        name, args = "manage.py", args[1:]
    subcommands = _SUBCOMMANDS.get(name)
    if subcommands is None:
        return None
    first = next((a for a in args if not a.startswith("-") or a in subcommands), None)
    if name in ("rails", "rake") and first is not None and first.startswith("db:"):
        return None if first in ("db:version", "db:migrate:status", "db:abort_if_pending_migrations") else Change()
    if first is None:
        return Change() if name == "yarn" and not args else None
    return Change() if first in subcommands else None


def _operands(args: list[str]) -> tuple[str, ...]:
    return tuple(a for a in args if not a.startswith("-") and not re.fullmatch(r"[0-7]{3,4}|[ugoa]*[+-=][rwxX]+", a))


def _redirected(words: list[str], simple: Simple) -> Change | None:
    """`cat > file <<EOF`, `echo x >> file`, `jq . a > b`: a program that only passes text on, into a file."""
    targets = simple.writes()
    name = words[0].rsplit("/", 1)[-1] if words else "cat"
    if name == "tee" and simple.heredoc is not None:
        targets = [a for a in words[1:] if not a.startswith("-")]
        appends = any(a in ("-a", "--append") for a in words[1:])
    else:
        appends = any(r.op in (">>", "&>>") for r in simple.redirections)
    if not targets or name not in _WRITERS:
        return None
    if name in ("python", "python3", "node", "perl", "head", "tail", "sort") and simple.heredoc is None:
        return None
    content = (
        simple.heredoc if name in ("cat", "tee") and len(targets) == 1 and not appends and len(words) < 3 else None
    )
    return Change(tuple(targets), content)


def _in_place(name: str, args: list[str]) -> Change | None:
    flags = [a for a in args if a.startswith("-") and len(a) > 1]
    if name in ("sed", "gsed"):
        if not any(re.fullmatch(r"-[nErzs]*i.*|--in-place.*", f) for f in flags):
            return None
        scripts = {at + 1 for at, a in enumerate(args) if a in ("-e", "-f", "--expression", "--file")}
        operands = [a for at, a in enumerate(args) if a and not a.startswith("-") and at not in scripts]
        return Change(tuple(operands[0 if scripts else 1 :][-8:]))
    if name in ("perl", "ruby"):
        if not any(re.fullmatch(r"-(?![IMmCDrx])[a-zA-Z0-9]*i[a-zA-Z0-9.]*", f) for f in flags):
            return None
        operands = [a for a in args if not a.startswith("-")]
        return Change(tuple(operands[1:][-8:]))
    return Change(tuple(args[-1:])) if "inplace" in args else None


def _git(args: list[str]) -> Change | None:
    at = 0
    while at < len(args) and args[at].startswith("-"):
        at += 2 if args[at] in ("-C", "-c") else 1
    if at >= len(args):
        return None
    verb, rest = args[at], args[at + 1 :]
    if verb in ("checkout", "switch"):
        if "--" in rest:
            return Change(tuple(rest[rest.index("--") + 1 :]))
        if verb == "switch" or _GIT_REF_OPTIONS.intersection(rest):
            return Change()
        paths = [a for a in rest if not a.startswith("-")]
        looks_like_files = [p for p in paths if p == "." or "." in p.rsplit("/", 1)[-1]]
        return Change(tuple(looks_like_files)) if paths else None
    if verb == "restore":
        return Change(tuple(a for a in rest if not a.startswith("-")))
    if verb in ("rm", "mv"):
        return Change(tuple(a for a in rest if not a.startswith("-")))
    if verb == "config":
        return Change() if len([a for a in rest if not a.startswith("-")]) > 1 and "--get" not in rest else None
    if verb == "stash":
        return Change() if rest[:1] not in (["list"], ["show"]) else None
    if verb in ("apply", "clean", "reset", "revert", "cherry-pick", "merge", "rebase", "pull", "am", "submodule"):
        if {"--check", "--stat", "--dry-run", "-n", "status", "--abort"}.intersection(rest) and verb != "revert":
            return None
        if verb == "reset" and not {"--hard", "--merge", "--keep"}.intersection(rest):
            return None
        return Change()
    return None


def _compose(name: str, args: list[str]) -> Change | None:
    bare = [a for a in args if not a.startswith("-")]
    if name == "docker-compose" or bare[:1] == ["compose"]:
        verbs = bare if name == "docker-compose" else bare[1:]
        return Change() if _COMPOSE_CHANGES.intersection(verbs[:4]) else None
    if bare and bare[0] == "run":
        return Change() if {"-d", "--detach", "-dit", "-itd"}.intersection(args) else None
    return Change() if bare and bare[0] in _SUBCOMMANDS["docker"] and bare[1:2] != ["ls"] else None
