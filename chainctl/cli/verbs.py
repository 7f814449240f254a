"""The table of verbs: name, where its function is, what `--help` says of it. Nothing is imported for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """One command. `module` is below `chainctl.cli.commands` and holds a function of its name.

    `takes_chain` says that its first argument is the name of a chain, for completion. A verb with
    `actions` has a function for each of them instead, such as `secret_set` for `chainctl secret set`. With
    `passes_on`, what stands behind its first argument are no options of its own.
    """

    name: str
    summary: str
    takes_chain: bool = False
    actions: tuple[str, ...] = ()
    passes_on: bool = False

    @property
    def module(self) -> str:
        return f"chainctl.cli.commands.{self.function}"

    @property
    def function(self) -> str:
        return self.name.replace("-", "_")

    @property
    def actions_functions(self) -> dict[str, str]:
        """The functions of a verb's actions, by the names that users type."""
        return {action: f"{self.function}_{action}" for action in self.actions}


VERBS = {
    verb.name: verb
    for verb in (
        Verb("init", "Write an example chain with a test and a CI workflow."),
        Verb("check", "Check a chain file: types, dependencies, configuration, requirements."),
        Verb("explain", "Explain a problem code, with an example and its correction."),
        Verb("graph", "Print the graph of a chain."),
        Verb("lock", "Pin what images install, and what they start from, in chainctl.lock."),
        Verb("render", "Write the build context of every image."),
        Verb("plan", "Show what a push would build and change, and why."),
        Verb("build", "Build the images of a chain that are missing, and say why."),
        Verb("push", "Build, start and route a chain; prints its URL."),
        Verb("test", "Run a chain's tests against the images that would be pushed."),
        Verb("watch", "Serve each save of a chain's files at once; models stay loaded."),
        Verb("history", "List the releases of a chain, and what each changed.", takes_chain=True),
        Verb("rollback", "Bring an older release of a chain up again; builds nothing.", takes_chain=True),
        Verb("restart", "Start the services of a chain anew, without a lost request.", takes_chain=True),
        Verb("scale", "Run more or fewer replicas of a chain's services."),
        Verb("autoscale", "Let the replicas of chains follow their load.", takes_chain=True),
        Verb("intercept", "Answer a chainlet's calls with a process on this machine."),
        Verb("call", "Call a chain with a JSON object of arguments; prints the answer.", takes_chain=True),
        Verb("bench", "Load a chain; shows its speed, what bounds it, what it would need.", takes_chain=True),
        Verb("ps", "List chains and their services.", takes_chain=True),
        Verb("images", "List images with their sizes and the releases that use them.", takes_chain=True),
        Verb("gc", "Remove images that neither run nor are used by the last releases.", takes_chain=True),
        Verb("prune", "Remove services and leftovers that no release needs.", takes_chain=True),
        Verb("sbom", "Print what an image is made of, as CycloneDX."),
        Verb("jobs", "List the components of a chain with their jobs.", takes_chain=True),
        Verb("unlock", "Take a lock away from a command that is gone for good."),
        Verb("logs", "Print the logs of all chainlets, interleaved by time.", takes_chain=True),
        Verb("trace", "Show where the time of calls went, call by call.", takes_chain=True),
        Verb("top", "Show rates, latencies and errors of each chainlet, now.", takes_chain=True),
        Verb("secret", "Save, list and remove values of secrets.", actions=("set", "list", "rm")),
        Verb(
            "env", "Set, list and remove environment variables of chainlets.", actions=("set", "list", "rm")
        ),
        Verb("down", "Remove a chain: its address, its services, its network.", takes_chain=True),
        Verb("run-local", "Run a chain on this machine without containers, once or as a server."),
        Verb("run", "Run a file as a program, as Python does.", passes_on=True),
        Verb("migrate", "Let files that import truss_chains import chainctl."),
        Verb("doctor", "Check engine, builder, disk, GPU, images and ports."),
        Verb("version", "Print the version of chainctl."),
    )
}
