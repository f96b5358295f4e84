#include "CPlotly.h"

#if !__has_embed(PLOTLY_FILE)
#error "plotly.min.js is missing: run 'make deps', then build again"
#endif

#pragma clang diagnostic ignored "-Wc23-extensions"  // clang has #embed in every C

// Compiled in, so that the command works wherever it is moved to.
static const unsigned char source[] = {
#embed PLOTLY_FILE
};

const unsigned char *plotly_source(size_t *length) {
  *length = sizeof source;
  return source;
}
