#pragma once

// The library exists in three widths; names end in the width of a code unit.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
