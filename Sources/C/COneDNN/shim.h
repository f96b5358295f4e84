#ifndef EQUANT_ONEDNN_SHIM_H
#define EQUANT_ONEDNN_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_debug.h>

/* Macros Swift cannot import. */
static inline void *equant_memory_none(void) { return DNNL_MEMORY_NONE; }
static inline int64_t equant_runtime_dim(void) { return DNNL_RUNTIME_DIM_VAL; }

/* The OpenMP runtime that oneDNN itself runs on, so that our own loops share its threads. */
void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_max_threads(void);
void omp_set_num_threads(int);

/* Where the dynamic loader found oneDNN. libc's header hides dladdr without _GNU_SOURCE, which a
   module map cannot set, so its prototype is spelled out. */
typedef struct {
  const char *file;
  void *base;
  const char *symbol;
  void *address;
} equant_dl_info;
int equant_dladdr(const void *address, equant_dl_info *info) __asm__("dladdr");
static inline const char *equant_library_path(void) {
  static equant_dl_info info;
  return equant_dladdr((const void *)&dnnl_version, &info) ? info.file : NULL;
}

#endif
