// ProgramTests - the program as its users meet it: real processes in temporary folders, with tiny models.

import Testing

/// One test at a time: each starts processes that take all cores.
@Suite(.serialized) struct ProgramTests {}
