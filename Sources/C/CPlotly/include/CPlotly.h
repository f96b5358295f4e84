#ifndef CPLOTLY_H
#define CPLOTLY_H

#include <stddef.h>

/// plotly.min.js as the wheel has it, UTF-8 with its licence at the top, and how long it is.
const unsigned char *plotly_source(size_t *length);

#endif
