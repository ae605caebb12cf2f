/*
 * listener: lets everything through that a permission group holds (descriptor 3), and says what it was asked:
 * the mask and the path, a line each.
 * listener open: opens each path of stdin, and says when it has.
 *
 * Both end with their stdin, so that nobody is held for a test that is gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

static char events[64 * 1024];

static void answer(const struct fanotify_event_metadata *event) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", event->fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  struct fanotify_response response = {.fd = event->fd, .response = FAN_ALLOW};
  printf("%llx %.*s\n", (unsigned long long)event->mask, (int)(length < 0 ? 0 : length), path);
  if (write(3, &response, sizeof response) < 0) perror("answer");
  close(event->fd);
}

static int answer_all(void) {
  struct pollfd polls[] = {{.fd = 3, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
  for (;;) {
    if (poll(polls, 2, -1) < 0 || polls[1].revents != 0) return 0;
    ssize_t length = read(3, events, sizeof events);
    if (length <= 0) continue;
    const struct fanotify_event_metadata *event = (void *)events;
    for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length)) answer(event);
  }
}

static int open_all(void) {
  char path[4096], byte;
  while (fgets(path, sizeof path, stdin) != NULL) {
    path[strcspn(path, "\n")] = '\0';
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    if (fd >= 0 && read(fd, &byte, 1) < 0) errno = 0; /* a directory */
    if (fd >= 0) close(fd);
    printf("%s\n", fd < 0 ? "cannot" : "opened");
  }
  return 0;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 64 * 1024);
  return argc > 1 && strcmp(argv[1], "open") == 0 ? open_all() : answer_all();
}
