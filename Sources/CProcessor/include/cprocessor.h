// cprocessor - ends the program before it begins on a processor that lacks the instructions it was built for.

#ifndef CPROCESSOR_H
#define CPROCESSOR_H

/// Does nothing; calling it links the check, which runs before `main`.
void cprocessor_link(void);

#endif
