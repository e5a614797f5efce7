/* Preloaded, it makes the file system refuse to create a file or link whose name exists in another case. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

static int is_taken(const char *path) {
  char folder[PATH_MAX];
  const char *slash = strrchr(path, '/');
  if (slash == NULL || slash - path >= PATH_MAX) return 0;
  snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
  DIR *stream = opendir(folder);
  if (stream == NULL) return 0;
  int found = 0;
  for (struct dirent *entry; !found && (entry = readdir(stream)) != NULL;)
    found = strcasecmp(entry->d_name, slash + 1) == 0;
  closedir(stream);
  return found;
}

static int open_named(const char *symbol, const char *path, int flags, mode_t mode) {
  int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, symbol);
  if ((flags & O_CREAT) && (flags & O_EXCL) && is_taken(path)) {
    errno = EEXIST;
    return -1;
  }
  return real(path, flags, mode);
}

static mode_t mode_of(va_list parameters) { return va_arg(parameters, mode_t); }

#define DEFINE_OPEN(name)                            \
  int name(const char *path, int flags, ...) {       \
    va_list parameters;                              \
    va_start(parameters, flags);                     \
    mode_t mode = mode_of(parameters);               \
    va_end(parameters);                              \
    return open_named(#name, path, flags, mode);     \
  }

DEFINE_OPEN(open)
DEFINE_OPEN(open64)

int symlink(const char *target, const char *path) {
  int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "symlink");
  if (is_taken(path)) {
    errno = EEXIST;
    return -1;
  }
  return real(target, path);
}
