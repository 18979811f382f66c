"""What the scripts that compare the program with Python packages share: checks that print a line, and runs of the program."""

import contextlib
import os
import shutil
import subprocess
import tempfile


class Comparison:
    """The checks of one case, in a folder of its own. A script's class adds `all`, which makes them."""

    def __init__(self, name, program, folder):
        self.name, self.program, self.folder = name, os.path.abspath(program), os.path.join(folder, name)
        self.failures = 0
        os.makedirs(self.folder)

    def check(self, what, passed, detail=""):
        print(f"{self.name}: {what}: {'ok' if passed else 'FAILED'} {detail}".rstrip(), flush=True)
        self.failures += not passed

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def run(self, *arguments, ranks=1, text=None):
        """What the program prints; RuntimeError for another exit status than 0."""
        command = [self.program, *arguments]
        if ranks > 1:
            command = ["mpirun", "-n", str(ranks), *command]
        result = subprocess.run(command, cwd=self.folder, capture_output=True, input=text)
        if result.returncode != 0:
            print(result.stdout.decode(errors="replace") + result.stderr.decode(errors="replace"))
            raise RuntimeError(f"{self.name}: {' '.join(arguments)}: exit status {result.returncode}")
        return result.stdout.decode("utf-8")


def add_options(parser):
    parser.add_argument("--program", default=".build/release/mile-dist")
    parser.add_argument("--folder", help="where to leave the files; default: a folder that is removed at the end")


@contextlib.contextmanager
def working_folder(folder):
    """The absolute path of `folder`; without one, that of a temporary folder, which is removed at the end."""
    path = os.path.abspath(folder or tempfile.mkdtemp())
    try:
        yield path
    finally:
        if not folder:
            shutil.rmtree(path)


def exit_status(comparisons):
    """Makes all checks of each comparison and prints the number that failed; 0 if none did."""
    failures = 0
    for comparison in comparisons:
        comparison.all()
        failures += comparison.failures
    print(f"{failures} failed" if failures else "all passed")
    return 1 if failures else 0
