// ProgramTests - the program as its users meet it: real processes in temporary folders, with tiny models.

import Testing

/// As many tests at a time as there are cores: most start one process of one thread, and wait for launchers and disks in between.
@Suite(.oneSlot) struct ProgramTests {}
