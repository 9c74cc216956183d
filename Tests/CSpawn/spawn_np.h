// What glibc's <spawn.h> declares for _GNU_SOURCE only, and Swift's Glibc therefore lacks.
#include <spawn.h>

int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
