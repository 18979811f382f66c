// cstartup - what the program does before the first library of it runs: it checks the processor and blocks signals.

#ifndef CSTARTUP_H
#define CSTARTUP_H

/// Does nothing; calling it links the checks, which run before `main`.
void cstartup_link(void);

#endif
