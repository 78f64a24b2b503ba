#!/bin/sh
# What include/muster/muster.h has, it has whole: every collective has a started form with the same arguments, every
# name of a function fits where errors have it, and every function has a form in Python, or a reason why not. The
# lists below are looked at in both directions: a row whose function is gone, or has its form by now, fails, too.
# Uses TEST_SOURCE.
set -eu
python3 - "$TEST_SOURCE" <<'EOF'
import ast
import re
import sys

source = sys.argv[1]
header = open(f"{source}/include/muster/muster.h", encoding="utf-8").read()
sections = re.split(r"^/\* -{4} (.*?) -+ \*/$", header, flags=re.M)
sections = dict(zip(sections[1::2], sections[2::2]))
declared = re.compile(r"MUSTER_API\s+[^;(]*?\b(muster_\w+)\(([^;]*)\);")
arguments = {name: " ".join(given.split()) for name, given in declared.findall(header)}
bad = []

# ---- started forms ----

collectives = [name for title in ("collectives", "collectives with a count for each rank", "scans")
               for name, _ in declared.findall(sections[title])]
messages = ["muster_send", "muster_recv"]
for name in collectives + messages:
    started = arguments.get(f"{name}_start")
    if started is None:
        bad.append(f"{name} has no started form")
    elif started != f"{arguments[name]}, muster_request *request":
        bad.append(f"{name}_start has other arguments than {name}")
for name in arguments:
    if name.endswith("_start") and name.removesuffix("_start") not in arguments:
        bad.append(f"{name} has no blocking form")

# ---- names ----

room = int(re.search(r"#define MUSTER_CALL_NAME_BYTES (\d+)", header)[1])
bad += [f"{name} is too long for muster_error_info" for name in arguments if len(name) - len("muster_") >= room]

# ---- forms in Python ----

# By another name than the rules below give.
FORMS = {
    "muster_alloc": "empty", "muster_free": "empty", "muster_group_free": "Group", "muster_group_status": "Group.check",
    "muster_group_set_name": "Group.name", "muster_help": "Group.help", "muster_test": "Request.test",
    "muster_wait": "Request.wait", "muster_cancel": "Request.cancel", "muster_last_error": "Error.rank",
    "muster_error_detail": "Error", "muster_status_string": "Error.status",
    "muster_termination_describe": "Error.termination", "muster_version": "__version__", "muster_op_create": "Op.create",
    "muster_op_create_premul_sum": "Op.premul_sum", "muster_op_free": "Op",
    "muster_share_create": "Share", "muster_peer_buffer": "Share.peer", "muster_put_signal": "Share.put_signal",
    "muster_wait_signal": "Share.wait_signal", "muster_queue_create": "Queue", "muster_report_crashes": "init",
    "muster_set_log": "init",
}
REASONS = {
    "muster_dtype_size": "arrays know theirs: x.itemsize",
    "muster_dtype_name": "arrays know theirs: x.dtype",
    "muster_set_interrupt": "Python's signal handlers run in every wait",
    "muster_group_set_interrupt": "Python's signal handlers run in every wait",
    "muster_is_variable": "init() warns of variables that nobody reads",
    "muster_variables": "init() warns of variables that nobody reads",
    "muster_other_launcher": "init() warns of other launchers",
    "muster_launch": "it forks ranks of C functions; muster.testing.ranks does so with Python's, and muster run programs",
    "muster_tuning_threshold": "muster tune",
    "muster_tuning_get": "muster doctor",
    "muster_tuning_keep": "muster tune",
    "muster_inspect": "muster inspect --json",
    "muster_inspection_free": "muster inspect --json",
    "muster_records_open": "muster run --trace and muster trace write JSON",
    "muster_records_read": "muster run --trace and muster trace write JSON",
    "muster_records_close": "muster run --trace and muster trace write JSON",
}
stub = ast.parse(open(f"{source}/bindings/python/muster/__init__.pyi", encoding="utf-8").read())


def names_in(body):
    for node in body:
        if isinstance(node, ast.AnnAssign):
            yield node.target.id
        elif hasattr(node, "name"):
            yield node.name
            if isinstance(node, ast.ClassDef):
                yield from (f"{node.name}.{part}" for part in names_in(node.body))


python = set(names_in(stub.body))


def by_rule(name):
    short = name.removeprefix("muster_")
    for prefix in "group", "share", "queue":
        if short.startswith(prefix + "_"):
            return f"{prefix.title()}.{short.removeprefix(prefix + '_')}"
    return short


for name in arguments:
    if by_rule(name) in python:
        if name in REASONS or name in FORMS:
            bad.append(f"{name} is {by_rule(name)} in Python, and needs no row here")
    elif name in FORMS:
        if FORMS[name] not in python:
            bad.append(f"{name} should be {FORMS[name]} in Python, which the stub does not have")
    elif name not in REASONS:
        bad.append(f"{name} has no form in Python, and no reason why not")
bad += [f"{name} is not in the header" for name in {**FORMS, **REASONS} if name not in arguments]

# ---- settings: muster_config and init() ----

SETTINGS = {
    "struct_size": "C's", "interrupt": "Python's signal handlers", "interrupt_arg": "Python's signal handlers",
    "log_arg": "C's", "log": "Python's logger, muster", "restarts": "the launcher's to say",
}
fields = re.search(r"typedef struct muster_config \{(.*?)\n\}", header, re.S)[1]
fields = re.findall(r"(\w+)(?:\[[^]]*\])?;", re.sub(r"/\*.*?\*/", "", fields, flags=re.S))
given = next(node for node in stub.body if getattr(node, "name", "") == "init").args.kwonlyargs
given = {arg.arg for arg in given}
for field in fields:
    name = "log" if field == "log_level" else field.removesuffix("_ns")
    if (name in given) == (field in SETTINGS) and field != "log":
        bad.append(f"muster_config.{field} is {'' if name in given else 'not '}an argument of init()")
if bad:
    sys.exit("\n".join(bad))
print(f"forms hold: {len(arguments)} functions, {len(collectives)} collectives, {len(fields)} settings")
EOF
