"""A Slurm of its own in a folder: munged, slurmctld and slurmd on this machine, for as long as they are needed."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sinfo", "srun", "sbatch", "setpriv")
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
"""Daemons often lie where only root looks."""
START_S = 30.0
STOP_S = 10.0

CONFIGURATION = """\
ClusterName=sda
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={sockets}/munge
CredType=cred/munge
StateSaveLocation="{folder}/state"
SlurmdSpoolDir={sockets}/spool
SlurmctldPidFile="{folder}/slurmctld.pid"
SlurmdPidFile="{folder}/slurmd.pid"
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU={memory_mb_per_cpu}
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0,batch_sched_delay=0
ReturnToService=2
KillWait=5
{hardware} NodeAddr=127.0.0.1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
"""Jobs start at once where there is room. Memory is counted, not enforced; there is no accounting, hence no `sacct`."""


def find_obstacle() -> str | None:
    """What keeps Slurm from running here, in words; nothing where nothing does."""
    if sys.platform != "linux":
        return "a Slurm node needs Linux"
    missing = [program for program in PROGRAMS if shutil.which(program, path=SEARCH_PATH) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: slurmctld, slurmd, slurm-client, munge)"
    if os.geteuid() != 0:
        return "slurmd needs root"
    return None


@contextmanager
def run_slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Slurm with this machine as its node; gives the environment variables by which clients find it.

    Configuration, state and logs lie in `folder`. At the end the daemons and all jobs are ended, and nothing else.

    Raises:
        RuntimeError: something is missing, or a daemon did not start; the end of its log is in the message.
    """
    obstacle = find_obstacle()
    if obstacle is not None:
        raise RuntimeError(obstacle)
    folder = folder.absolute()
    (folder / "state").mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        # The path of a Unix socket holds some hundred letters, so that sockets cannot lie in a folder given by others.
        sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True)))
        configuration = _write_configuration(folder, sockets)
        environment = {"SLURM_CONF": str(configuration)}
        key = _write_key(folder)
        files = {"key": key, "seed": folder / "munged.seed", "pid": folder / "munged.pid"}
        options = [f"--{name}-file={path}" for name, path in files.items()]
        start = _Starter(stack, folder, environment)
        start("munged", "--foreground", "--force", f"--socket={sockets / 'munge'}", *options)
        start.wait_until((sockets / "munge").exists)
        stack.callback(_kill_jobs, configuration)  # when no daemon is left that could start another
        start("slurmctld", "-D", "-c", "-f", str(configuration))  # without what an earlier one left in the folder
        start("slurmd", "-D", "-f", str(configuration))
        start.wait_until(lambda: _read_state(environment) == "idle")
        yield environment


class _Starter:
    """Starts daemons that end with the stack, or with this process if it is killed."""

    def __init__(self, stack: ExitStack, folder: Path, environment: dict[str, str]):
        self._stack = stack
        self._folder = folder
        self._environment = environment
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __call__(self, program: str, *arguments: str) -> None:
        log = self._stack.enter_context(self._log(program).open("ab"))
        daemon = subprocess.Popen(
            ["setpriv", "--pdeathsig=TERM", _find(program), *arguments],
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the clients
        )
        self._stack.callback(_stop, daemon)
        self._daemons[program] = daemon

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while not condition():
            for program, daemon in self._daemons.items():
                if daemon.poll() is not None:
                    raise RuntimeError(f"{program} ended with {daemon.returncode}:\n{self._read_logs([program])}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"no idle node after {START_S:.0f} s:\n{self._read_logs(list(self._daemons))}")
            time.sleep(0.1)

    def _log(self, program: str) -> Path:
        return self._folder / f"{program}.log"

    def _read_logs(self, programs: Sequence[str]) -> str:
        lines = []
        for program in programs:
            lines += self._log(program).read_text(errors="replace").splitlines()[-20:]
        return "\n".join(lines)


def _write_configuration(folder: Path, sockets: Path) -> Path:
    description = subprocess.run([_find("slurmd"), "-C"], check=True, capture_output=True, text=True)
    hardware = description.stdout.splitlines()[0]
    fields = dict(field.split("=", 1) for field in hardware.split())
    controller_port, node_port = _find_free_ports(2)
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(
            node=fields["NodeName"],
            hardware=hardware,
            memory_mb_per_cpu=int(fields["RealMemory"]) // int(fields["CPUs"]),
            controller_port=controller_port,
            node_port=node_port,
            folder=folder,
            sockets=sockets,
        )
    )
    return configuration


def _write_key(folder: Path) -> Path:
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    return key


def _find(program: str) -> str:
    found = shutil.which(program, path=SEARCH_PATH)
    assert found is not None
    return found


def _find_free_ports(n_ports: int) -> list[int]:
    """So many different ports of 127.0.0.1."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(n_ports)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _read_state(environment: dict[str, str]) -> str:
    """What the controller says of the node, such as `idle`; nothing before it answers."""
    command = [_find("sinfo"), "--noheader", "--format=%T"]
    answer = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def _stop(daemon: "subprocess.Popen[bytes]") -> None:
    daemon.terminate()
    try:
        daemon.wait(STOP_S)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _kill_jobs(configuration: Path) -> None:
    """Jobs outlive slurmd by design: end what was started with this configuration as a job or to watch over one."""
    deadline = time.monotonic() + STOP_S
    while (found := _find_jobs(configuration)) and time.monotonic() < deadline:
        for process_id in found:
            try:
                os.kill(process_id, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def _find_jobs(configuration: Path) -> list[int]:
    """Processes that were born with `SLURM_CONF` of this Slurm, and are a job's or slurmstepd."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
            name = (process / "comm").read_text()
        except OSError:  # it has ended
            continue
        is_job = name.startswith("slurmstepd") or any(variable.startswith(b"SLURM_JOB_ID=") for variable in variables)
        if is_job and b"SLURM_CONF=" + os.fsencode(configuration) in variables:
            found.append(int(process.name))
    return found
